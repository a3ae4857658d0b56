// Text with marked pieces. What is shown was captured from anybody, so it only ever enters the page as textContent.
const TAGS = { learned: 'mark', read: 'span', missing: 'del', extra: 'ins', same: 'span' };

const make = (tag, name, text) => {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text !== undefined) node.textContent = text;
  return node;
};

const visible = (text) => text.replace(/\n/g, '↵\n').replace(/\t/g, '→\t');

const piece = ({ text, mark }, tokens) => {
  const known = Object.hasOwn(TAGS, mark) ? mark : 'same';
  const node = make(TAGS[known], `piece ${known}`, tokens ? visible(text) : text);
  return node;
};

const line = ({ name, pieces }) => {
  const tokens = pieces.some((each) => each.mark === 'learned' || each.mark === 'read');
  const row = make('div', tokens ? 'line tokens' : 'line');
  if (name) row.append(make('span', 'name', name));
  const text = make('div', 'text');
  text.append(...pieces.map((each) => piece(each, tokens)));
  if (!pieces.length) text.append(make('span', 'nothing', 'nothing'));
  row.append(text);
  return row;
};

const block = ({ title, note, lines }) => {
  const box = make('section', 'block');
  const head = make('div', 'head');
  if (title) head.append(make('b', '', title));
  if (note) head.append(make('span', 'note', note));
  if (title || note) box.append(head);
  box.append(...lines.map(line));
  return box;
};

const key = ([mark, meaning]) => {
  const entry = make('span', 'entry');
  entry.append(piece({ text: ' Aa ', mark }, false), make('span', '', meaning));
  return entry;
};

export default function ({ data, parentElement }) {
  const root = make('div', 'marked');
  root.setAttribute('role', 'region');
  root.setAttribute('aria-label', data.label);
  if (data.legend.length) {
    const legend = make('div', 'legend');
    legend.append(...data.legend.map(key));
    root.append(legend);
  }
  root.append(...data.blocks.map(block));
  parentElement.querySelectorAll('.marked').forEach((old) => old.remove());
  parentElement.append(root);
}
