const make = (tag, name, text) => {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text !== undefined) node.textContent = text;
  return node;
};
const span = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);
export default function ({ data, parentElement, setTriggerValue }) {
  const root = make('div', 'lists');
  for (const { title, note, rows } of data.lists) {
    const box = make('section'), head = make('h4', '', title), list = make('div', 'rows');
    if (note) head.append(make('span', '', note));
    for (const row of rows) {
      const line = make('button', row.uid === data.here ? 'here' : '');
      const told = [row.note, row.model, span(row.latency)].filter(Boolean).join(' \u00b7 ');
      line.append(make('span', `dot ${row.status}`), make('span', 'text', row.prompt || '–'), make('span', 'soft', told));
      line.style.paddingLeft = `${12 + 18 * (row.indent || 0)}px`;
      line.title = new Date(row.at).toLocaleString();
      if (row.uid !== data.here) line.onclick = () => setTriggerValue('open', { uid: row.uid, at: Date.now() });
      list.append(line);
    }
    box.append(head, list);
    root.append(box);
  }
  parentElement.querySelectorAll('.lists').forEach((old) => old.remove());
  parentElement.append(root);
}
