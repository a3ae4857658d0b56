// The review screen. The browser holds a window of records, so a key never waits for the server: it draws the next
// record at once and sends what was decided as numbered events, again and again until the server acknowledges them.
const GAP_MS = 100;
const RETRY_MS = 2000;
const LONG = 6000;
const KEPT_BEHIND = 45;
const KEPT_AHEAD = 90;
const SCREENS = new WeakMap();
const NAMES = { system: 'System', user: 'User', assistant: 'Assistant', tool: 'Tool', developer: 'Developer' };
const VERDICTS = { confirmed: 'confirmed', corrected: 'corrected', left_out: 'dropped', open: 'left open' };
const KEEPS = { train: 'training', golden: 'golden', drop: 'dropped' };

// --- small helpers: text only ever enters the page as textContent ---------------------------------------------------

const make = (tag, name, text) => {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text !== undefined) node.textContent = text;
  return node;
};
const press = (node, on) => node.setAttribute('aria-pressed', String(Boolean(on)));
const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

// --- one screen -------------------------------------------------------------------------------------------------------

class Screen {
  constructor(root, data) {
    this.at = (selector) => root.querySelector(selector);
    this.cards = new Map();
    this.lines = [];
    this.queue = [];
    this.orders = [];
    this.mine = new Map();
    this.seq = this.sends = 0;
    this.editing = this.choosing = this.keeping = null;
    this.position = data.position;
    this.session = data.session;
    this.me = data.me;
    this.recall();
    this.wire();
  }

  // What was not acknowledged before a reload is still here, and so is the place.
  get drawer() { return `whetstone-review-${this.session}-${this.me}`; }

  recall() {
    const kept = JSON.parse(sessionStorage.getItem(this.drawer) ?? 'null');
    if (kept) Object.assign(this, kept);
    this.renumber();
    for (const event of this.queue) this.mine.set(event.item_id, { ...event, undone: event.wish === 'withdraw' });
  }

  remember() {
    const { queue, position } = this;
    sessionStorage.setItem(this.drawer, JSON.stringify({ queue, position }));
  }

  // Each screen counts its events from 1 under a name of its own, also in a duplicated tab; what was kept is told
  // again, which changes nothing where it had arrived.
  renumber() {
    this.tab = Array.from(crypto.getRandomValues(new Uint32Array(2)), (part) => part.toString(36)).join('');
    this.queue.forEach((event, place) => { event.seq = place + 1; });
    this.seq = this.queue.length;
  }

  acknowledge(tab, acked) {
    if (tab !== this.tab || acked < 0) return;
    this.queue = this.queue.filter((event) => event.seq > acked);
    if (this.queue.length ? this.queue[0].seq > acked + 1 : this.seq > acked) this.renumber();
    for (const [id, vote] of this.mine) if (vote.seq <= acked) this.mine.delete(id);
  }

  // --- from the server ------------------------------------------------------------------------------------------------

  take(data, send) {
    this.send = send;
    const { cards, token, position, ...rest } = data;
    const news = JSON.stringify(rest);
    if (cards) this.store(cards, token);
    else if (!this.token) this.flush();
    if (news === this.news && !cards) return;
    this.news = news;
    Object.assign(this, { total: data.total, me: data.me, chair: data.chair, editor: data.editor, open: data.open });
    Object.assign(this, { lines: data.lines, present: data.present, people: data.people, alone: data.alone });
    this.acknowledge(data.tab, data.acked);
    if (this.orders[0]?.n === data.told.n) this.orders.shift();
    this.position = clamp(this.position, 0, Math.max(this.total - 1, 0));
    if (this.queue.length || this.orders.length) this.flush();
    this.remember();
    this.draw();
    const told = JSON.stringify(data.told);
    if (told !== this.told) this.tell(data.told.error);
    this.told = told;
  }

  store(cards, token) {
    this.token = token;
    for (const card of cards) this.cards.set(card.position, card);
    for (const key of this.cards.keys())
      if (key < this.position - KEPT_BEHIND || key > this.position + KEPT_AHEAD) this.cards.delete(key);
    this.flush();
  }

  // --- to the server: at most every 100 ms, all that is not acknowledged --------------------------------------------

  flush() {
    if (this.timer) return;
    const wait = Math.max(0, GAP_MS - (performance.now() - (this.sentAt ?? -GAP_MS)));
    this.timer = setTimeout(() => { this.timer = null; this.sendNow(); }, wait);
  }

  sendNow() {
    this.sentAt = performance.now();
    const events = this.queue.slice(0, 200);
    const order = events.length ? null : this.orders[0] ?? null;
    const missing = !this.cards.has(clamp(this.position, 0, (this.total ?? 1) - 1));
    const has = missing ? '' : this.token ?? '';
    this.send({ n: ++this.sends, tab: this.tab, has, position: this.position, events, order });
  }

  again() {
    if ((this.queue.length || this.orders.length) && performance.now() - this.sentAt > RETRY_MS) this.flush();
  }

  push(event) {
    const line = this.line;
    if (!line || !this.open) return false;
    const whole = { choice: null, output: null, ...event, seq: ++this.seq, item_id: line.item_id, position: this.position };
    this.queue.push(whole);
    this.mine.set(line.item_id, { ...whole, undone: whole.wish === 'withdraw' });
    this.last = this.position;
    this.remember();
    this.flush();
    return true;
  }

  order(verb, more = {}) {
    const line = this.line;
    if (!line || this.orders.some((order) => order.item_id === line.item_id)) return;
    this.orders.push({ n: Date.now(), verb, item_id: line.item_id, revision: line.revision, ...more });
    this.tell('');
    this.flush();
    this.draw();
  }

  // --- what is on screen ----------------------------------------------------------------------------------------------

  get line() { return this.lines[this.position]; }
  get card() { return this.cards.get(this.position); }
  get vote() {
    const own = this.line && this.mine.get(this.line.item_id);
    return own ? (own.undone ? null : own) : this.line?.my_vote ?? null;
  }
  get decides() {
    return this.open && this.chair === this.me && this.line && (this.line.state === 'revealed' || (this.alone && this.line.state !== 'decided'));
  }

  go(step) {
    this.editing = this.choosing = this.keeping = null;
    const before = this.position;
    this.position = clamp(this.position + step, 0, Math.max(this.total - 1, 0));
    this.draw();
    if (before === this.position && !step) return;
    this.remember();
    this.flush();
  }

  // After a vote: the next record, or stay on the last one.
  choose(index) {
    const card = this.card;
    if (!card || index >= card.choices.length) return;
    if (this.line.state === 'decided') return this.tell('This one is decided. Undo the decision to change it.');
    if (this.decides && !this.alone) {
      this.choosing = { choice: index, output: card.choices[index].output };
      return this.draw();
    }
    if (this.cast({ wish: 'choose', choice: index, output: card.choices[index].output })) this.go(1);
  }

  // A vote; for whoever decides alone it is the decision, also on a record whose decision they took back.
  cast(vote) {
    if (this.line.state === 'voting') return this.push(vote.wish === 'choose' ? { ...vote, output: null } : vote);
    if (!this.decides) return this.tell('The votes are revealed. The chair decides now.');
    this.order('decide', { verdict: vote.output === this.card.shown ? 'confirmed' : 'corrected', output: vote.output });
    return true;
  }

  drop() {
    if (!this.decides) return;
    if (!this.alone) { this.keeping = 'drop'; return this.draw(); }
    this.order('decide', { verdict: 'left_out' });
    this.go(1);
  }

  wish(wish) {
    if (this.line?.state !== 'voting') return this.go(1);
    if (this.push({ wish })) this.go(1);
  }

  edit() {
    const card = this.card;
    if (!card || !this.open || this.line.state === 'decided') return;
    const start = this.vote?.output ?? card.choices[this.vote?.choice ?? -1]?.output ?? this.choosing?.output ?? card.shown;
    this.editing = { text: start };
    this.draw();
    const area = this.at('textarea');
    area.value = start;
    area.focus();
  }

  save() {
    const output = this.at('textarea').value;
    if (!output.trim()) return this.tell('The answer is empty. Write what the model should have answered, or leave with Esc.');
    this.tell('');
    this.at('textarea').blur(); // or the next key would still land in it
    if (this.decides && !this.alone) {
      this.editing = null;
      this.choosing = { choice: null, output };
      return this.draw();
    }
    if (this.cast({ wish: 'edit', output })) this.go(1);
  }

  leave() { this.editing = null; this.at('textarea').blur(); this.draw(); }

  undo() {
    if (this.line?.state === 'decided' && this.chair === this.me) return this.order('undo');
    if (this.vote && this.line.state === 'voting' && this.push({ wish: 'withdraw' })) return this.draw();
    if (this.last !== undefined && this.last !== this.position) { this.go(this.last - this.position); }
  }

  // --- the chair ------------------------------------------------------------------------------------------------------

  get leading() {
    if (this.choosing) return this.choosing;
    const tally = new Map();
    for (const vote of this.line?.votes ?? []) {
      const output = vote.output ?? this.card?.choices[vote.choice ?? -1]?.output;
      if (output !== undefined) tally.set(output, { ...vote, output, n: (tally.get(output)?.n ?? 0) + 1 });
    }
    const [first, second] = [...tally.values()].sort((a, b) => b.n - a.n);
    return first && (!second || first.n > second.n) ? { choice: first.choice, output: first.output } : null;
  }

  settle(verdict) {
    if (!this.decides || this.alone) return;
    const keep = this.keeping ?? this.card?.split ?? 'train';
    const chosen = this.leading;
    if (verdict !== 'open' && keep !== 'drop' && !chosen) return this.tell('Choose the right answer first: 1 to 5, or E to write one.');
    const said = keep === 'drop' ? 'left_out' : chosen?.output === this.card.shown ? 'confirmed' : 'corrected';
    this.order('decide', {
      verdict: verdict ?? said, output: verdict === 'open' || keep === 'drop' ? null : chosen.output, keep,
      rule: this.at('.rule').value, note: this.at('.note').value,
    });
  }

  waiting() {
    const from = this.position + 1;
    const ring = [...this.lines.slice(from), ...this.lines.slice(0, from)];
    const wanted = this.chair === this.me ? 'revealed' : 'voting';
    const next = ring.find((line) => line.state === wanted && (wanted === 'revealed' || !line.my_vote));
    if (next) this.go(next.position - this.position);
    else this.tell(wanted === 'revealed' ? 'No revealed record waits for a decision.' : 'You have voted on every record.');
  }

  tell(text) {
    const line = this.at('.told');
    line.textContent = text ?? '';
    line.hidden = !text;
  }

  // --- drawing --------------------------------------------------------------------------------------------------------

  draw() {
    const moved = this.drawn !== this.position;
    if (moved) this.leaveRecord();
    if (moved || this.drawnCard !== this.card) this.drawCard(moved);
    this.drawTop();
    this.drawPeople();
    this.drawChoices();
    this.drawActions();
    this.drawn = this.position;
    this.drawnCard = this.card;
  }

  drawTop() {
    const decided = this.lines.filter((line) => line.state === 'decided').length;
    this.at('.count').textContent = this.total ? `${this.position + 1} of ${this.total}` : 'Nothing to review';
    this.at('.decided').textContent = `${decided} decided`;
    this.at('.bar i').style.width = `${(100 * decided) / Math.max(this.total, 1)}%`;
    this.at('.saving').textContent = this.queue.length || this.orders.length ? 'Saving' : 'Saved';
    const strip = this.at('.agenda');
    while (strip.children.length > this.lines.length) strip.lastChild.remove();
    this.lines.forEach((line, place) => {
      const dot = strip.children[place] ?? strip.appendChild(this.dot(place));
      const own = this.mine.get(line.item_id);
      const voted = own ? !own.undone : Boolean(line.my_vote);
      if (dot.dataset.state !== line.state) dot.dataset.state = line.state;
      if (dot.dataset.mine !== String(+voted)) dot.dataset.mine = String(+voted);
      const here = String(place === this.position);
      if (dot.getAttribute('aria-current') !== here) dot.setAttribute('aria-current', here);
    });
  }

  dot(place) {
    const dot = make('button');
    dot.title = `Record ${place + 1}`;
    dot.setAttribute('aria-label', dot.title);
    dot.onclick = () => this.go(place - this.position);
    return dot;
  }

  drawPeople() {
    const here = new Map(this.present);
    const voted = new Set(this.line?.voted ?? []);
    const own = this.line && this.mine.get(this.line.item_id);
    if (own) own.undone ? voted.delete(this.me) : voted.add(this.me);
    const names = [...new Set([...here.keys(), ...this.people, ...voted])].sort();
    const look = JSON.stringify([names, this.present, [...voted], this.chair, this.position]);
    if (look === this.peopleLook) return;
    this.peopleLook = look;
    this.at('.people').replaceChildren(...names.map((name) => this.person(name, here, voted)));
  }

  person(name, here, voted) {
    const chip = make('span', `person${voted.has(name) ? ' voted' : ''}${here.has(name) ? '' : ' away'}`, name);
    const notes = [name === this.me ? 'you' : '', name === this.chair ? 'chair' : ''];
    notes.push(here.has(name) ? (here.get(name) !== this.position && name !== this.me ? `at ${here.get(name) + 1}` : '') : 'away');
    const said = notes.filter(Boolean).join(', ');
    if (said) chip.append(make('small', '', said));
    chip.title = voted.has(name) ? `${name} has voted on this record` : `${name} has not voted on this record`;
    return chip;
  }

  leaveRecord() {
    this.at('.rule').value = this.at('.note').value = '';
    this.tell('');
  }

  drawCard(moved) {
    const card = this.card;
    this.at('.reason').textContent = card ? card.reason : 'Loading';
    const talk = this.at('.talk');
    if (!card) {
      talk.replaceChildren(make('div', 'bone'), make('div', 'bone'), make('div', 'bone'));
      return this.flush();
    }
    talk.replaceChildren(...card.messages.map(([role, text]) => this.message(role, text)));
    if (moved) talk.scrollTop = 0;
  }

  message(role, text) {
    const box = make('div', `message ${NAMES[role] ? role : ''}`);
    const body = make('div', '', text.length > LONG ? text.slice(0, LONG) : text);
    box.append(make('b', '', NAMES[role] ?? role), body);
    if (text.length > LONG) {
      const whole = box.appendChild(make('button', 'whole', `Show all ${text.length.toLocaleString()} characters`));
      whole.onclick = () => { body.textContent = text; whole.remove(); };
    }
    return box;
  }

  drawChoices() {
    const { card, line, vote } = this;
    const box = this.at('.choices');
    const look = JSON.stringify([card?.item_id, line?.state, line?.votes, line?.decision, vote, this.choosing, card?.choices.length]);
    if (look === this.choicesLook && this.drawnCard === card) return;
    this.choicesLook = look;
    box.replaceChildren(...(card?.choices ?? []).map((choice, index) => this.choice(choice, index)));
    if (card && line) for (const [output, by] of this.written(card, line)) box.append(this.answer(output, by));
    this.drawState();
  }

  // Answers that people wrote themselves, seen only once votes are revealed.
  written(card, line) {
    const found = new Map();
    for (const vote of line.votes)
      if (vote.output !== null && !card.choices.some((choice) => choice.output === vote.output))
        found.set(vote.output, [...(found.get(vote.output) ?? []), vote.person]);
    const own = this.choosing ?? (line.votes.length ? null : this.vote);
    if (own?.output && own.choice === null && !found.has(own.output)) found.set(own.output, [this.me]);
    const settled = line.decision?.output;
    if (line.state === 'decided' && settled && !found.has(settled) && !card.choices.some((choice) => choice.output === settled))
      found.set(settled, []);
    return found;
  }

  choice(choice, index) {
    const voters = this.line?.votes.filter((vote) => vote.choice === index && vote.output === null).map((vote) => vote.person) ?? [];
    const box = this.answer(choice.output, voters, String(index + 1), choice.by);
    const chosen = this.choosing ? this.choosing.choice === index : this.vote?.choice === index;
    press(box, this.line?.state === 'revealed' && this.decides ? this.leading?.output === choice.output : chosen);
    box.onclick = () => this.choose(index);
    return box;
  }

  answer(output, voters, key = 'E', given = []) {
    const box = make('button', 'choice');
    const { line } = this;
    box.append(make('kbd', '', key), make('span', 'text', output === '' ? '(empty)' : output));
    const by = make('span', 'by');
    for (const name of voters) by.append(make('span', '', name));
    if (line?.state !== 'voting' && this.card && output === this.card.shown) by.append(make('small', '', 'in the dataset now'));
    if (given.length) by.append(make('small', '', `given by ${given.join(', ')}`));
    if (by.childNodes.length) box.append(by);
    box.classList.toggle('won', line?.state === 'decided' && line.decision?.output === output);
    if (key === 'E') {
      press(box, this.choosing ? this.choosing.output === output : this.leading?.output === output);
      box.onclick = () => { if (this.decides && !this.alone) { this.choosing = { choice: null, output }; this.draw(); } else this.edit(); };
    }
    return box;
  }

  drawState() {
    const { line } = this;
    const parts = line ? this.situation(line) : [];
    this.at('.state').replaceChildren(...parts.map(([tag, text]) => make(tag, '', text)));
  }

  situation(line) {
    if (line.state === 'decided') {
      const { verdict, keep, rule, note } = line.decision ?? {};
      const extra = [KEEPS[keep] && verdict !== 'open' && verdict !== 'left_out' ? `kept for ${KEEPS[keep]}` : '', rule ? `rule: ${rule}` : '', note ? `note: ${note}` : ''];
      return [['b', `Decided by ${line.decided_by}: ${VERDICTS[verdict] ?? verdict}`], ['span', extra.filter(Boolean).map((text) => `, ${text}`).join('')]];
    }
    if (this.alone) return [['span', 'Which answer is right? Choose one; it is saved as decided.']];
    if (line.state === 'revealed') {
      const others = line.votes.filter((vote) => vote.wish === 'discuss' || vote.wish === 'skip');
      const said = others.map((vote) => `${vote.person} ${vote.wish === 'skip' ? 'skipped' : 'wants to discuss'}`).join(', ');
      return [['b', 'Votes are revealed. '], ['span', [said, this.decides ? '' : `${this.chair} decides`].filter(Boolean).join(' · ')]];
    }
    if (!this.vote) return [['span', 'Which answer is right? Nobody sees what you choose until all have voted.']];
    const own = { choose: `You chose ${(this.vote.choice ?? 0) + 1}.`, edit: 'You wrote your own answer.', skip: 'You skipped this one.', discuss: 'You want to discuss this one.' };
    return [['b', own[this.vote.wish] ?? ''], ['span', ' Waiting for the others.']];
  }

  drawActions() {
    const { line, card } = this;
    const leads = this.chair === this.me;
    const voting = this.open && line?.state === 'voting';
    this.at('.edit').hidden = !this.editing;
    this.at('.wish-edit').disabled = !card || !(voting || this.decides);
    this.at('.wish-discuss').disabled = this.at('.wish-skip').disabled = !voting;
    this.at('.wish-discuss').hidden = Boolean(this.alone);
    this.at('.drop').hidden = !this.alone;
    this.at('.drop').disabled = !this.decides;
    press(this.at('.wish-skip'), this.vote?.wish === 'skip');
    press(this.at('.wish-discuss'), this.vote?.wish === 'discuss');
    this.at('.undo').disabled = !this.open || !(this.vote && voting) && !(leads && line?.state === 'decided') && this.last === undefined;
    this.at('.reveal').hidden = !leads || this.alone || !voting;
    this.at('.reveal').disabled = !line?.voted.length;
    this.at('.waiting').firstChild.textContent = leads && !this.alone ? 'Next to decide ' : 'Next open ';
    this.at('.previous').disabled = this.position === 0;
    this.at('.next').disabled = this.position >= this.total - 1;
    this.drawDecide();
  }

  drawDecide() {
    const shown = Boolean(this.decides && !this.alone && this.card);
    this.at('.decide').hidden = !shown;
    if (!shown) return;
    const keep = this.keeping ?? this.card.split;
    for (const button of this.at('.keep').children) press(button, button.dataset.keep === keep);
    const chosen = this.leading;
    const place = chosen && this.card.choices.findIndex((choice) => choice.output === chosen.output);
    const what = keep === 'drop' ? 'The example is dropped' : !chosen ? 'Choose the right answer: 1 to 5, or E to write one' : place >= 0 ? `Answer ${place + 1} is right` : 'The written answer is right';
    this.at('.hint').textContent = what;
    this.at('.settle').disabled = Boolean(this.orders.length) || (!chosen && keep !== 'drop');
    this.at('.open').disabled = Boolean(this.orders.length);
  }

  // --- keys and buttons -----------------------------------------------------------------------------------------------

  wire() {
    const does = {
      '.previous': () => this.go(-1), '.next': () => this.go(1), '.wish-edit': () => this.edit(), '.save': () => this.save(),
      '.leave': () => this.leave(), '.wish-discuss': () => this.wish('discuss'), '.wish-skip': () => this.wish('skip'),
      '.undo': () => this.undo(), '.reveal': () => this.order('reveal'), '.waiting': () => this.waiting(),
      '.settle': () => this.settle(), '.drop': () => this.drop(), '.open': () => this.settle('open'),
    };
    for (const [selector, action] of Object.entries(does)) this.at(selector).onclick = action;
    for (const button of this.at('.keep').children) button.onclick = () => { this.keeping = button.dataset.keep; this.draw(); };
    this.keys = {
      j: () => this.go(1), arrowright: () => this.go(1), k: () => this.go(-1), arrowleft: () => this.go(-1),
      e: () => this.edit(), d: () => this.alone || this.wish('discuss'), s: () => this.wish('skip'), u: () => this.undo(),
      v: () => this.at('.reveal').hidden || this.at('.reveal').disabled || this.order('reveal'), n: () => this.waiting(),
      x: () => this.drop(),
      enter: () => (this.decides && !this.alone ? this.settle() : this.waiting()), o: () => this.settle('open'),
    };
    this.onkey = (event) => this.key(event);
    document.addEventListener('keydown', this.onkey, true);
    this.ticker = setInterval(() => this.again(), RETRY_MS / 2);
  }

  key(event) {
    const target = event.composedPath()[0];
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(target?.tagName) || target?.isContentEditable) return this.typing(event, target);
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('[role=dialog]')) return;
    const key = event.key.toLowerCase();
    if (key === 'enter' && target?.tagName === 'BUTTON' && !target.classList.contains('choice')) return;
    const action = key >= '1' && key <= '5' ? () => this.choose(Number(key) - 1) : this.keys[key];
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  }

  typing(event, target) {
    if (target !== this.at('textarea') && !target.closest?.('.decide')) return;
    if (event.key === 'Escape') { event.preventDefault(); target === this.at('textarea') ? this.leave() : target.blur(); }
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    target === this.at('textarea') ? this.save() : this.settle();
  }

  end() {
    document.removeEventListener('keydown', this.onkey, true);
    clearInterval(this.ticker);
    clearTimeout(this.timer);
  }
}

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  const root = parentElement.querySelector('.review');
  let screen = SCREENS.get(parentElement);
  if (screen && screen.session !== data.session) { screen.end(); screen = null; }
  if (!screen) SCREENS.set(parentElement, (screen = new Screen(root, data)));
  screen.take(data, (sent) => setStateValue('sent', sent));
  return () => { SCREENS.get(parentElement)?.end(); SCREENS.delete(parentElement); };
}
