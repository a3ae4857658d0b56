// Prompt templates: constant text with its gaps, how often it is sent, and how it changed. Captured text only ever
// enters the page as textContent.
const OPEN = new Set();
const whole = new Intl.NumberFormat('en-US');
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });

const make = (tag, name, text) => {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text !== undefined) node.textContent = text;
  return node;
};

const message = ([role, parts]) => {
  const box = make('div', 'message');
  const text = make('div', 'text');
  text.append(...parts.map((part) => (part === null ? make('span', 'gap', 'varies') : make('span', '', part))));
  box.append(make('span', 'role', role), text);
  return box;
};

const changes = (pieces) => {
  const text = make('div', 'text');
  text.append(...pieces.map(([kind, piece]) => make({ gone: 'del', new: 'ins' }[kind] ?? 'span', '', piece)));
  return text;
};

const card = (template, show) => {
  const box = make('details', 'card');
  box.open = OPEN.has(template.id);
  box.ontoggle = () => (box.open ? OPEN.add(template.id) : OPEN.delete(template.id));
  const head = make('summary');
  const name = make('span', 'name', template.name || 'Unnamed template');
  const bar = make('span', 'bar');
  bar.style.setProperty('--share', `${template.share * 100}%`);
  head.append(name);
  if (template.changes.length) head.append(make('span', 'mark', `your prompt changed on ${day.format(template.first)}`));
  head.append(bar, make('b', '', `${(template.share * 100).toFixed(template.share < 0.1 ? 1 : 0)}%`), make('span', 'calls', `${whole.format(template.calls)} calls`));
  const row = make('div', 'row');
  const go = make('button', 'go', 'Show its calls');
  go.onclick = () => show(template.id);
  row.append(make('span', 'soft', `First seen ${day.format(template.first)}, last ${day.format(template.last)}. Every call sends the same ${whole.format(template.constant)} characters.`), go);
  box.append(head, row);
  if (template.changes.length) box.append(make('h5', '', 'What changed'), changes(template.changes), make('h5', '', 'The whole template'));
  box.append(...template.messages.map(message));
  return box;
};

export default function ({ data, parentElement, setTriggerValue }) {
  const root = make('div', 'templates');
  if (!OPEN.size && data.templates.length) OPEN.add(data.templates[0].id);
  const show = (id) => setTriggerValue('show', { id, at: Date.now() });
  root.append(...data.templates.map((template) => card(template, show)));
  parentElement.querySelectorAll('.templates').forEach((old) => old.remove());
  parentElement.append(root);
}
