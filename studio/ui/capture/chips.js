export default function ({ data, parentElement, setTriggerValue }) {
  const make = (tag, name, text) => {
    const node = document.createElement(tag);
    node.className = name;
    node.textContent = text;
    return node;
  };
  const root = make('div', 'chips', '');
  root.setAttribute('role', 'group');
  root.setAttribute('aria-label', 'Filters that are on');
  for (const chip of data.chips) {
    const box = make('span', 'chip', '');
    const off = make('button', 'off', '\u00d7');
    off.setAttribute('aria-label', `Remove ${chip.name}: ${chip.text}`);
    off.onclick = () => setTriggerValue('off', { parameter: chip.parameter, value: chip.value, at: Date.now() });
    box.title = `${chip.name}: ${chip.text}`;
    box.append(make('span', 'name', chip.name), make('span', 'value', chip.text), off);
    root.append(box);
  }
  const all = make('button', 'all', 'Clear all');
  all.onclick = () => setTriggerValue('off', { parameter: '', at: Date.now() });
  root.append(all);
  parentElement.querySelectorAll('.chips').forEach((old) => old.remove());
  parentElement.append(root);
}
