// The calls of a project: facets to filter by on the left, the table on the right. What it shows was captured from
// anybody, so it only ever enters the page as textContent. Every choice is told to the server as one event.
const SCREENS = new WeakMap();
const SHOWN = 6;
const SEARCHED_FROM = 9;
const CLOSED = new Set(['served_model', 'endpoint', 'api_key', 'provider', 'finish_reason', 'user', 'session', 'source', 'revision']);
const SORTS = [
  ['-created_at', 'Newest first'], ['created_at', 'Oldest first'], ['-latency_ms', 'Slowest first'],
  ['latency_ms', 'Fastest first'], ['-first_token_ms', 'Slowest first token'], ['-cost_usd', 'Most expensive'],
  ['-prompt_tokens', 'Longest prompts'], ['-completion_tokens', 'Longest answers'], ['-score', 'Best score'],
  ['score', 'Worst score'],
];
const COLUMNS = [
  ['time', 'Time', 'created_at'], ['model', 'Model'], ['prompt', 'Prompt and answer'],
  ['number latency', 'Latency', 'latency_ms'], ['number tokens', 'Tokens', 'prompt_tokens'],
  ['number cost', 'Cost', 'cost_usd'], ['said', 'Feedback', 'score'],
];

const make = (tag, name, text) => {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text !== undefined) node.textContent = text;
  return node;
};
const icon = (name) => {
  const node = make('span', 'icon', name);
  node.setAttribute('aria-hidden', 'true');
  return node;
};
const button = (name, text, press, picture) => {
  const node = make('button', name);
  node.type = 'button';
  if (picture) node.append(icon(picture));
  if (text) node.append(make('span', '', text));
  node.onclick = press;
  return node;
};
const whole = new Intl.NumberFormat('en-US');
const short = (n) => (n < 10000 ? whole.format(n) : n < 1e6 ? `${(n / 1e3).toFixed(n < 1e5 ? 1 : 0)}k` : `${(n / 1e6).toFixed(1)}M`);
const span = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : ms < 60000 ? `${(ms / 1000).toFixed(ms < 10000 ? 2 : 1)} s` : `${Math.round(ms / 60000)} min`);
const money = (usd) => (!usd ? '–' : usd >= 0.1 ? `$${usd.toFixed(2)}` : usd < 0.00005 ? '<$0.0001' : `$${usd.toFixed(4)}`);
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const day = new Intl.DateTimeFormat('en-US', { month: 'short', day: 'numeric' });
const full = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'long' });
const when = (at) => {
  const moment = new Date(at);
  const sameDay = moment.toDateString() === new Date().toDateString();
  return sameDay ? clock.format(moment) : `${day.format(moment)}, ${clock.format(moment).slice(0, 5)}`;
};

class Calls {
  constructor(root) {
    this.root = root;
    this.rail = make('aside', 'rail');
    this.main = make('section', 'main');
    this.rail.setAttribute('aria-label', 'Filters');
    root.append(this.rail, this.main);
    this.chosen = new Map();
    this.open = new Map();
    this.all = new Set();
    this.sought = new Map();
    this.known = new Set();
    this.everything = false;
    root.addEventListener('keydown', (event) => this.key(event));
  }

  take(data, tell) {
    const focus = this.focused();
    this.data = data;
    this.tell = (event) => tell({ ...event, at: Date.now() });
    if (data.project !== this.project) {
      this.project = data.project;
      this.chosen.clear();
    }
    if (data.filter !== this.filter) {
      this.everything = false;
      this.filter = data.filter;
      this.shown = null;
    }
    this.hold(data);
    this.drawRail();
    this.drawMain();
    this.refocus(focus);
  }

  // Live, what arrives is held back while somebody selects calls or has scrolled down: rows must not move under a hand.
  hold(data) {
    const reading = this.chosen.size || (this.frame?.scrollTop ?? 0) > 20;
    if (!(data.live && this.shown && reading && data.page.number === 1)) this.shown = data.rows;
    const known = new Set(this.shown.map((row) => row.uid));
    this.waiting = data.rows.filter((row) => !known.has(row.uid)).length;
  }

  letIn() {
    this.shown = this.data.rows;
    this.waiting = 0;
    this.frame.scrollTop = 0;
    this.drawMain();
  }

  // A redraw must not take the cursor out of a field that somebody types into.
  focused() {
    const node = this.root.getRootNode().activeElement;
    return node?.dataset?.focus ? { name: node.dataset.focus, at: node.selectionStart } : null;
  }

  refocus(focus) {
    const node = focus && [...this.root.querySelectorAll('[data-focus]')].find((each) => each.dataset.focus === focus.name);
    if (!node) return;
    node.focus({ preventScroll: true });
    if (node.setSelectionRange && node.type !== 'number' && focus.at != null) node.setSelectionRange(focus.at, focus.at);
  }

  // --- facets ---------------------------------------------------------------------------------------------------------

  drawRail() {
    const sections = this.data.facets.map((facet) => this.facet(facet));
    this.rail.replaceChildren(...sections, ...this.data.ranges.map((range) => this.range(range)));
  }

  section(name, title, used, body, waiting = false) {
    const box = make('details', 'facet');
    box.dataset.facet = name;
    box.open = !waiting && (this.open.get(name) ?? (used || !CLOSED.has(name)));
    const head = make('summary', '', title);
    head.dataset.focus = `facet ${name}`;
    if (used) head.append(make('span', 'used'));
    box.ontoggle = () => {
      if (waiting && box.open) this.tell({ kind: 'unfold', facet: name });
      if (!waiting || box.open) this.open.set(name, box.open);
    };
    box.append(head, ...body);
    return box;
  }

  facet(facet) {
    const { name, title, values } = facet;
    const sought = (this.sought.get(name) ?? '').toLowerCase();
    const found = values.filter((each) => !sought || each.label.toLowerCase().includes(sought));
    const shown = this.all.has(name) || sought ? found : found.filter((each, place) => place < SHOWN || each.on);
    const list = make('div', 'values');
    list.append(...shown.map((each) => this.value(facet, each)));
    const body = values.length >= SEARCHED_FROM ? [this.seek(facet)] : [];
    body.push(list);
    if (sought && !found.length) body.push(make('p', 'nothing', 'Nothing like this'));
    const hidden = found.length - shown.length;
    if (hidden > 0 || this.all.has(name)) body.push(this.more(name, hidden));
    return this.section(name, title, values.some((each) => each.on), facet.waiting ? [make('p', 'nothing', 'Counting…')] : body, facet.waiting);
  }

  seek(facet) {
    const field = make('input', 'seek');
    field.type = 'search';
    field.placeholder = `Find in ${facet.title.toLowerCase()}`;
    field.setAttribute('aria-label', field.placeholder);
    field.dataset.focus = `seek ${facet.name}`;
    field.value = this.sought.get(facet.name) ?? '';
    field.oninput = () => {
      this.sought.set(facet.name, field.value);
      const focus = this.focused();
      this.rail.querySelector(`[data-facet="${CSS.escape(facet.name)}"]`).replaceWith(this.facet(facet));
      this.refocus(focus);
    };
    return field;
  }

  value(facet, { value, label, calls, on }) {
    const row = button(on ? 'value on' : 'value', '', () => this.tell({ kind: 'toggle', facet: facet.name, value }));
    row.setAttribute('role', 'checkbox');
    row.setAttribute('aria-checked', String(on));
    row.setAttribute('aria-label', `${facet.title}: ${label}`);
    row.dataset.focus = `value ${facet.name} ${value}`;
    row.title = label;
    if (facet.name === 'status') row.append(make('span', `dot ${value}`));
    row.prepend(make('span', 'box'));
    row.append(make('span', 'label', label), make('span', 'calls', calls == null ? '' : short(calls)));
    return row;
  }

  more(name, hidden) {
    const all = this.all.has(name);
    const toggle = button('more', all ? 'Show fewer' : `and ${whole.format(hidden)} more`, () => {
      all ? this.all.delete(name) : this.all.add(name);
      this.drawRail();
    });
    return toggle;
  }

  range({ name, title, unit, low, high }) {
    const form = make('form', 'range');
    const [from, to] = [['from', low], ['to', high]].map(([side, value]) => {
      const field = make('input');
      field.type = 'number';
      field.step = 'any';
      field.placeholder = side;
      field.value = value ?? '';
      field.dataset.focus = `range ${name} ${side}`;
      field.setAttribute('aria-label', `${title} ${side}`);
      return field;
    });
    const apply = () => {
      if (from.value !== String(low ?? '') || to.value !== String(high ?? '')) {
        this.tell({ kind: 'range', name, low: from.value, high: to.value });
      }
    };
    form.onsubmit = (event) => { event.preventDefault(); apply(); };
    from.onchange = to.onchange = apply;
    const go = make('button', 'hidden', 'Apply');
    form.append(from, make('span', '', '–'), to, make('span', 'unit', unit), go);
    return this.section(name, title, low != null || high != null, [form]);
  }

  // --- the table --------------------------------------------------------------------------------------------------------

  drawMain() {
    const rows = this.shown;
    const [first, scrolled] = [rows[0]?.uid, this.frame?.scrollTop ?? 0];
    this.main.replaceChildren(this.bar(), rows.length ? this.table() : this.nothing());
    if (rows.length && first === this.first) this.frame.scrollTop = scrolled;
    this.first = first;
    this.known = new Set(rows.map((row) => row.uid));
  }

  bar() {
    const picked = this.everything || this.chosen.size;
    const bar = make('div', picked ? 'bar picking' : 'bar');
    const sort = this.sorter();
    const filters = button('quiet filters', 'Filters', () => this.root.classList.toggle('railed'), 'filter_list');
    bar.append(filters, picked ? this.selection() : this.count());
    if (this.waiting) {
      const n = this.waiting < this.shown.length ? this.waiting : `${this.waiting}+`;
      bar.append(button('new', `${n} new ${n === 1 ? 'call' : 'calls'}`, () => this.letIn(), 'arrow_upward'));
    }
    bar.append(sort, this.pager());
    return bar;
  }

  count() {
    const { count, page } = this.data;
    const box = make('div', 'count');
    box.append(make('b', '', count.text), make('span', '', count.n === 1 && count.exact ? ' call' : ' calls'));
    if (page.number > 1) box.append(make('span', 'soft', ` · page ${whole.format(page.number)}`));
    return box;
  }

  selection() {
    const { count, may } = this.data;
    const box = make('div', 'selection');
    const n = this.everything ? count.text : whole.format(this.chosen.size);
    box.append(make('b', '', `${n} selected`));
    const act = (verb) => () => this.tell({ kind: 'act', verb, uids: this.everything ? [] : [...this.chosen.keys()], everything: this.everything });
    if (may) {
      box.append(
        button('', 'Add to dataset', act('dataset'), 'playlist_add'),
        button('', 'Send to label', act('label'), 'label'),
        button('', 'Mark as golden', act('golden'), 'verified'),
      );
    }
    const page = this.shown.length;
    if (!this.everything && this.chosen.size >= page && count.n > page) {
      box.append(button('link', `Select all ${count.text}`, () => { this.everything = true; this.drawMain(); }));
    }
    box.append(button('link', 'Clear', () => { this.chosen.clear(); this.everything = false; this.drawMain(); }));
    return box;
  }

  sorter() {
    const select = make('select');
    select.setAttribute('aria-label', 'Order');
    select.dataset.focus = 'sort';
    const known = SORTS.some(([word]) => word === this.data.sort);
    const offered = known ? SORTS : [[this.data.sort, 'Custom order'], ...SORTS];
    for (const [word, label] of offered) {
      const option = make('option', '', label);
      option.value = word;
      option.selected = word === this.data.sort;
      select.append(option);
    }
    select.onchange = () => this.tell({ kind: 'sort', by: select.value });
    return select;
  }

  pager() {
    const { page, sort } = this.data;
    const timed = sort.endsWith('created_at');
    const box = make('div', 'pager');
    const back = button('quiet', timed && sort[0] === '-' ? 'Newer' : 'Back', () => this.tell({ kind: 'back' }), 'chevron_left');
    const next = button('quiet', timed && sort[0] === '-' ? 'Older' : 'Next', () => this.tell({ kind: 'next' }));
    next.append(icon('chevron_right'));
    back.disabled = !page.back;
    next.disabled = !page.next;
    back.dataset.focus = 'back';
    next.dataset.focus = 'next';
    box.append(back, next);
    return box;
  }

  nothing() {
    const box = make('div', 'empty');
    box.append(icon('search_off'), make('b', '', 'No calls match these filters'));
    box.append(make('span', 'soft', this.data.hint));
    const row = make('div', 'row');
    if (this.data.narrowed) row.append(button('', 'Clear filters', () => this.tell({ kind: 'clear' })));
    if (this.data.timed) row.append(button('', 'Show all times', () => this.tell({ kind: 'anytime' })));
    box.append(row);
    return box;
  }

  table() {
    const frame = make('div', 'frame');
    this.frame = frame;
    const table = make('table');
    const body = make('tbody');
    table.setAttribute('aria-label', 'Captured calls');
    body.append(...this.shown.map((row, place) => this.line(row, place)));
    table.append(this.head(), body);
    frame.append(table);
    return frame;
  }

  head() {
    const head = make('thead');
    const line = make('tr');
    const first = make('th', 'pick');
    first.append(this.tick('Select every call of this page', this.shown.every((row) => this.chosen.has(row.uid)), (on) => this.pickPage(on)));
    line.append(first);
    for (const [name, title, by] of COLUMNS) {
      const cell = make('th', name);
      cell.scope = 'col';
      if (by) cell.append(this.headSort(title, by, cell));
      else cell.textContent = title;
      line.append(cell);
    }
    head.append(line);
    return head;
  }

  headSort(title, by, cell) {
    const { sort } = this.data;
    const on = sort.replace('-', '') === by;
    const down = sort.startsWith('-');
    if (on) cell.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    const node = button('sort', title, () => this.tell({ kind: 'sort', by: on && down ? by : `-${by}` }));
    if (on) node.append(icon(down ? 'arrow_downward' : 'arrow_upward'));
    return node;
  }

  tick(label, on, change) {
    const box = make('input');
    box.type = 'checkbox';
    box.checked = on;
    box.setAttribute('aria-label', label);
    box.onclick = (event) => event.stopPropagation();
    box.onchange = () => change(box.checked);
    return box;
  }

  pickPage(on) {
    this.everything = false;
    for (const row of this.shown) on ? this.chosen.set(row.uid, true) : this.chosen.delete(row.uid);
    this.drawMain();
  }

  pick(place, on, range) {
    const rows = this.shown;
    const from = range && this.last != null ? Math.min(this.last, place) : place;
    const to = range && this.last != null ? Math.max(this.last, place) : place;
    this.everything = false;
    for (const row of rows.slice(from, to + 1)) on ? this.chosen.set(row.uid, true) : this.chosen.delete(row.uid);
    this.last = place;
    this.drawMain();
  }

  line(row, place) {
    const fresh = this.known.size && !this.known.has(row.uid) && this.data.live;
    const line = make('tr', [row.uid === this.data.opened ? 'opened' : '', fresh ? 'fresh' : ''].join(' ').trim());
    line.dataset.uid = row.uid;
    line.dataset.focus = `row ${row.uid}`;
    line.tabIndex = 0;
    line.setAttribute('aria-label', `Call ${row.prompt.slice(0, 60)}`);
    line.onclick = () => this.tell({ kind: 'open', uid: row.uid });
    const pick = make('td', 'pick');
    const picked = this.everything || this.chosen.has(row.uid);
    const tick = this.tick('Select this call', picked, () => {});
    tick.onclick = (event) => { event.stopPropagation(); this.pick(place, tick.checked, event.shiftKey); };
    pick.onclick = (event) => event.stopPropagation();
    pick.append(tick);
    line.append(pick, ...COLUMNS.map(([name]) => this.cell(name.split(' ').pop(), row, name)));
    return line;
  }

  cell(name, row, style) {
    const cell = make('td', style);
    const fill = {
      time: () => { cell.textContent = when(row.at); cell.title = full.format(new Date(row.at)); },
      model: () => {
        cell.append(make('span', `dot ${row.status}`), make('span', '', row.model || '–'));
        cell.title = row.served && row.served !== row.model ? `${row.model}, answered by ${row.served}: ${row.status}` : `${row.model}: ${row.status}`;
      },
      prompt: () => {
        const reply = make('div', 'reply');
        if (row.status !== 'ok') reply.append(make('span', `status ${row.status}`, row.http >= 400 ? `${row.status} ${row.http}` : row.status));
        reply.append(row.reply || (row.status === 'ok' ? '–' : ''));
        cell.append(make('div', 'asked', row.prompt || '–'), reply);
      },
      latency: () => { cell.textContent = row.latency ? span(row.latency) : '–'; },
      tokens: () => {
        cell.textContent = short(row.prompt_tokens + row.completion_tokens);
        cell.title = `${whole.format(row.prompt_tokens)} in, ${whole.format(row.completion_tokens)} out`;
      },
      cost: () => { cell.textContent = money(row.cost); },
      said: () => {
        if (row.rating) cell.append(this.thumb(row.rating));
        if (row.score != null) cell.append(make('span', 'score', String(Math.round(row.score * 1000) / 1000)));
      },
    };
    fill[name]();
    return cell;
  }

  thumb(rating) {
    const mark = icon(rating === 'up' ? 'thumb_up' : 'thumb_down');
    mark.classList.add(rating);
    mark.title = `Rated ${rating}`;
    return mark;
  }

  // --- keys -------------------------------------------------------------------------------------------------------------

  key(event) {
    const line = event.target.closest?.('tr[data-uid]');
    if (!line || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowDown: 'nextElementSibling', j: 'nextElementSibling', ArrowUp: 'previousElementSibling', k: 'previousElementSibling' }[event.key];
    if (step) {
      event.preventDefault();
      line[step]?.focus();
    } else if (event.key === 'Enter' && event.target === line) {
      line.click();
    } else if (event.key === 'x' || (event.key === ' ' && event.target === line)) {
      event.preventDefault();
      const place = [...line.parentNode.children].indexOf(line);
      this.pick(place, !this.chosen.has(line.dataset.uid), false);
      this.refocus({ name: `row ${line.dataset.uid}` });
    }
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  let screen = SCREENS.get(parentElement);
  if (!screen) {
    const root = make('div', 'calls-view');
    parentElement.append(root);
    screen = new Calls(root);
    SCREENS.set(parentElement, screen);
  }
  screen.take(data, (event) => setTriggerValue('did', event));
}
