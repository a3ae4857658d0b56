// Volume, cost, latency and errors over time, drawn as SVG; drag over the chart to look at that time only.
const SCREENS = new WeakMap();
const SVG = 'http://www.w3.org/2000/svg';
const HEIGHT = 128;
const PAD = { left: 46, right: 8, top: 8, bottom: 20 };
const STATUSES = ['ok', 'cut', 'aborted', 'error'];
const STEPS = [[86400e3, 'day'], [3600e3, 'hour'], [60e3, 'minute'], [1e3, 'second']];

const make = (tag, name, text) => {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text !== undefined) node.textContent = text;
  return node;
};
const draw = (tag, facts, text) => {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(facts)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
};
const whole = new Intl.NumberFormat('en-US');
const short = (n) => (n < 10000 ? whole.format(Math.round(n * 100) / 100) : n < 1e6 ? `${(n / 1e3).toFixed(n < 1e5 ? 1 : 0)}k` : `${(n / 1e6).toFixed(1)}M`);
const money = (usd) => (usd === 0 ? '$0' : usd >= 1000 ? `$${short(usd)}` : usd >= 0.1 ? `$${usd.toFixed(2)}` : `$${usd.toFixed(usd < 0.001 ? 6 : 4)}`);
const span = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10000 ? 2 : 1)} s`);
const share = (part) => `${(part * 100).toFixed(part && part < 0.1 ? 2 : 1)}%`;
const form = (options) => new Intl.DateTimeFormat('en-GB', options);
const HOUR = form({ hour: '2-digit', minute: '2-digit' });
const DAY = form({ day: 'numeric', month: 'short' });
const BOTH = form({ day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });

const CHARTS = {
  volume: { title: 'Calls', bars: STATUSES.map((name) => [name, (p) => p.statuses[name] ?? 0]), say: short },
  cost: { title: 'Cost', bars: [['cost', (p) => p.cost]], say: money },
  latency: { title: 'Latency', lines: [['p50', (p) => p.p50], ['p95', (p) => p.p95], ['first token', (p) => p.first]], say: span },
  errors: { title: 'Errors', bars: [['error rate', (p) => (p.calls ? p.errors / p.calls : 0)]], say: share, most: 1 },
};

const stepWords = (step) => {
  const [size, name] = STEPS.find(([least]) => step >= least) ?? STEPS[3];
  const n = Math.round(step / size);
  return n === 1 ? `1 ${name}` : `${n} ${name}s`;
};

const nice = (most) => {
  if (!(most > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 2.5, 5, 10].map((each) => each * power).find((each) => each >= most * 0.999);
};

class Overview {
  constructor(root) {
    this.root = root;
    this.tabs = make('div', 'tabs');
    this.tabs.setAttribute('role', 'tablist');
    this.plot = make('div', 'plot');
    this.tip = make('div', 'tip');
    this.tip.hidden = true;
    root.append(this.tabs, this.plot, this.tip);
    this.watcher = new ResizeObserver(() => { if (this.data && this.plot.clientWidth !== this.width) this.drawPlot(); });
    this.watcher.observe(this.plot);
    this.plot.addEventListener('pointermove', (event) => this.hover(event));
    this.plot.addEventListener('pointerleave', () => this.unhover());
    this.plot.addEventListener('pointerdown', (event) => this.grab(event));
    this.plot.addEventListener('pointerup', (event) => this.release(event));
  }

  take(data, tell) {
    if (JSON.stringify(data) === this.drawn) return;
    this.drawn = JSON.stringify(data);
    this.data = data;
    this.tell = (event) => tell({ ...event, sent: Date.now() });
    if (!this.name || data.chart !== this.told) this.name = CHARTS[data.chart] ? data.chart : 'volume';
    this.told = data.chart;
    this.drawTabs();
    this.drawPlot();
  }

  drawTabs() {
    const { total } = this.data;
    const figures = {
      volume: [short(total.calls)],
      cost: [money(total.cost)],
      latency: !total.p50 ? ['–'] : [span(total.p50), `p95 ${span(total.p95)}`],
      errors: [total.calls ? share(total.errors / total.calls) : '–', total.errors ? short(total.errors) : ''],
    };
    this.tabs.replaceChildren(...Object.entries(CHARTS).map(([name, chart]) => {
      const tab = make('button', 'tab');
      tab.type = 'button';
      tab.setAttribute('role', 'tab');
      tab.setAttribute('aria-selected', String(name === this.name));
      tab.append(make('span', 'title', chart.title), make('b', '', figures[name][0]));
      if (figures[name][1]) tab.append(make('span', 'also', figures[name][1]));
      tab.onclick = () => {
        this.name = name;
        this.drawTabs();
        this.drawPlot();
        this.tell({ kind: 'chart', chart: name });
      };
      return tab;
    }));
  }

  get inner() { return this.width - PAD.left - PAD.right; }
  x(at) { return PAD.left + ((at - this.from) / (this.to - this.from)) * this.inner; }
  y(value) { return HEIGHT - PAD.bottom - (value / this.most) * (HEIGHT - PAD.top - PAD.bottom); }

  drawPlot() {
    const { points, step } = this.data;
    const chart = CHARTS[this.name];
    this.width = this.plot.clientWidth || 600;
    this.from = points[0]?.at ?? 0;
    this.to = (points.at(-1)?.at ?? 1) + step;
    const parts = chart.bars ?? chart.lines;
    const heights = points.map((point) => {
      const values = parts.map(([, value]) => value(point) ?? 0);
      return chart.bars ? values.reduce((sum, value) => sum + value, 0) : Math.max(...values);
    });
    this.most = Math.min(nice(Math.max(0, ...heights)), chart.most ?? Infinity);
    const svg = draw('svg', { width: this.width, height: HEIGHT, role: 'img', 'aria-label': `${chart.title} over time, one step is ${stepWords(step)}` });
    svg.append(...this.grid(chart), ...this.times(points, step));
    svg.append(...(chart.bars ? this.bars(points, chart, step) : this.lines(points, chart, step)));
    this.band = draw('rect', { class: 'band', y: PAD.top, height: HEIGHT - PAD.top - PAD.bottom, width: 0 });
    svg.append(this.band);
    this.plot.replaceChildren(svg, this.legend(chart, parts, step));
  }

  grid(chart) {
    const parts = this.name === 'volume' && this.most < 2 ? [0, 1] : [0, 0.5, 1];
    return parts.flatMap((part) => {
      const y = this.y(this.most * part);
      return [
        draw('line', { class: 'grid', x1: PAD.left, x2: this.width - PAD.right, y1: y, y2: y }),
        draw('text', { class: 'axis', x: PAD.left - 6, y: y + 3.5, 'text-anchor': 'end' }, chart.say(this.most * part)),
      ];
    });
  }

  times(points, step) {
    const every = Math.max(1, Math.ceil(points.length / Math.max(2, Math.floor(this.inner / 95))));
    const long = this.to - this.from > 2 * 86400e3;
    let taken = 0;
    return points.filter((_point, place) => place % every === 0).filter(({ at }) => {
      const free = this.x(at) >= taken;
      if (free) taken = this.x(at) + (taken ? 88 : 120);
      return free;
    }).map(({ at }) => {
      const text = step >= 86400e3 ? DAY.format(at) : long ? BOTH.format(at) : HOUR.format(at);
      const x = this.x(at);
      const edge = x > this.width - 60 ? 'end' : x < PAD.left + 20 ? 'start' : 'middle';
      return draw('text', { class: 'axis', x: edge === 'end' ? this.width - PAD.right : x, y: HEIGHT - 5, 'text-anchor': edge }, text);
    });
  }

  bars(points, chart, step) {
    const width = Math.max(1, (this.inner * step) / (this.to - this.from) - 1.5);
    return points.flatMap((point) => {
      let base = 0;
      return chart.bars.map(([name, value]) => {
        const height = value(point);
        const top = this.y(base + height);
        const bar = draw('rect', { class: `bar ${name.replace(' ', '-')}`, x: this.x(point.at), y: top, width, height: Math.max(height ? 1 : 0, this.y(base) - top), rx: width > 6 ? 1.5 : 0 });
        base += height;
        return bar;
      }).filter((bar) => bar.getAttribute('height') !== '0');
    });
  }

  lines(points, chart, step) {
    return chart.lines.flatMap(([name, value]) => {
      const dots = points.filter((point) => value(point) != null).map((point) => [this.x(point.at + step / 2), this.y(value(point))]);
      const style = name.replace(' ', '-');
      if (dots.length === 1) return [draw('circle', { class: `spot ${style}`, cx: dots[0][0], cy: dots[0][1], r: 2.5 })];
      return [draw('polyline', { class: `line ${style}`, points: dots.map((dot) => dot.map((n) => n.toFixed(1)).join(',')).join(' ') })];
    });
  }

  legend(chart, parts, step) {
    const box = make('div', 'legend');
    const used = parts.filter(([, value]) => this.data.points.some((point) => value(point)));
    if (parts.length > 1) for (const [name] of used) {
      const entry = make('span', 'entry');
      entry.append(make('i', name.replace(' ', '-')), name);
      box.append(entry);
    }
    box.append(make('span', 'step', `${chart.bars ? 'one bar' : 'one point'} = ${stepWords(step)}`));
    return box;
  }

  // --- looking and zooming ------------------------------------------------------------------------------------------------

  at(event) {
    const box = this.plot.getBoundingClientRect();
    const part = (event.clientX - box.left - PAD.left) / this.inner;
    return Math.max(0, Math.min(this.data.points.length - 1, Math.floor(part * this.data.points.length)));
  }

  hover(event) {
    if (!this.data.points.length) return;
    const place = this.at(event);
    const { points, step } = this.data;
    const [low, high] = this.held == null ? [place, place] : [Math.min(this.held, place), Math.max(this.held, place)];
    const x = this.x(points[low].at);
    this.band.setAttribute('x', x);
    this.band.setAttribute('width', this.x(points[high].at + step) - x);
    this.tip.replaceChildren(...this.told_of(points[place], step));
    this.tip.hidden = false;
    const left = this.x(points[place].at);
    this.tip.style.left = `${left > this.width / 2 ? left - this.tip.offsetWidth - 12 : left + 18}px`;
  }

  told_of(point, step) {
    const chart = CHARTS[this.name];
    const end = form(step >= 86400e3 ? { day: 'numeric', month: 'short' } : { hour: '2-digit', minute: '2-digit' });
    const head = make('b', '', step >= 86400e3 && stepWords(step) === '1 day' ? DAY.format(point.at) : `${BOTH.format(point.at)} – ${end.format(point.at + step)}`);
    const lines = (chart.bars ?? chart.lines).filter(([, value]) => value(point) != null).filter(([name, value]) => value(point) || name === 'ok' || parts_few(chart)).map(([name, value]) => {
      const line = make('div');
      line.append(make('i', name.replace(' ', '-')), `${name}: ${chart.say(value(point))}`);
      return line;
    });
    return [head, ...lines];
  }

  unhover() {
    this.tip.hidden = true;
    this.held = null;
    this.band?.setAttribute('width', 0);
  }

  grab(event) {
    if (!this.data.points.length || event.button) return;
    this.held = this.at(event);
    this.plot.setPointerCapture(event.pointerId);
    event.preventDefault();
  }

  release(event) {
    if (this.held == null) return;
    const place = this.at(event);
    const [low, high] = [Math.min(this.held, place), Math.max(this.held, place)];
    this.held = null;
    const { points, step } = this.data;
    if (high > low) this.tell({ kind: 'zoom', from: points[low].at, to: points[high].at + step });
  }
}

const parts_few = (chart) => (chart.bars ?? chart.lines).length === 1;

export default function ({ data, parentElement, setTriggerValue }) {
  let screen = SCREENS.get(parentElement);
  if (!screen) {
    const root = make('div', 'overview');
    parentElement.append(root);
    screen = new Overview(root);
    SCREENS.set(parentElement, screen);
  }
  screen.take(data, (event) => setTriggerValue('did', event));
}
