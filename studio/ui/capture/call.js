// One call: its figures, and its conversation with what is new since the call before. What it shows was captured from
// anybody, so it only ever enters the page as textContent; pictures are named, never loaded.
const LONG = 1400;
const ICONS = { system: 'settings', developer: 'settings', user: 'person', assistant: 'smart_toy', tool: 'build', function: 'build' };

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

const fact = ({ label, value, hint }) => {
  const box = make('div', 'fact');
  box.append(make('span', 'label', label), make('b', '', value));
  if (hint) box.title = hint;
  return box;
};

const folded = (node, text) => {
  if (text.length < LONG && text.split('\n').length < 26) return [node];
  node.classList.add('short');
  const more = make('button', 'more', `Show all ${text.length.toLocaleString('en-US')} characters`);
  more.onclick = () => {
    const short = node.classList.toggle('short');
    more.textContent = short ? `Show all ${text.length.toLocaleString('en-US')} characters` : 'Show less';
  };
  return [node, more];
};

const block = ({ kind, text, name }) => {
  if (kind === 'note') return [make('p', 'note', text)];
  const node = make(kind === 'text' ? 'div' : 'pre', `text ${kind}`, text);
  if (kind !== 'call') return folded(node, text);
  const box = make('div', 'tool');
  const head = make('div', 'tool-name');
  head.append(icon('build'), make('b', '', name));
  box.append(head, ...(text && text !== '{}' ? folded(node, text) : []));
  return [box];
};

const changes = (pieces) => {
  const node = make('div', 'text');
  node.append(...pieces.map(([kind, text]) => make({ gone: 'del', new: 'ins' }[kind] ?? 'span', '', text)));
  return node;
};

const copyOf = (message) => message.blocks.map((each) => (each.kind === 'call' ? `${each.name}(${each.text})` : each.text)).join('\n');

const copy = (message) => {
  const button = make('button', 'copy');
  button.setAttribute('aria-label', 'Copy');
  button.title = 'Copy';
  button.append(icon('content_copy'));
  button.onclick = async () => {
    await navigator.clipboard.writeText(copyOf(message));
    button.replaceChildren(icon('check'));
    setTimeout(() => button.replaceChildren(icon('content_copy')), 1500);
  };
  return button;
};

const bubble = (message) => {
  const box = make('article', `message ${message.role} ${message.state}`);
  const head = make('header');
  head.append(icon(ICONS[message.role] ?? 'chat'), make('span', 'role', message.role));
  if (message.name) head.append(make('span', 'soft', message.name));
  if (message.state === 'new') head.append(make('span', 'mark', 'new'));
  if (message.state === 'changed') head.append(make('span', 'mark', 'changed since the call before'));
  head.append(copy(message));
  box.append(head);
  if (message.pieces && message.state !== 'new') {
    const plain = make('div', 'plain');
    plain.append(...message.blocks.flatMap(block));
    plain.hidden = true;
    const diff = changes(message.pieces);
    const swap = make('button', 'more', 'Show the whole text');
    swap.onclick = () => {
      plain.hidden = !plain.hidden;
      diff.hidden = !plain.hidden;
      swap.textContent = plain.hidden ? 'Show the whole text' : 'Show what changed';
    };
    box.append(diff, plain, swap);
    return box;
  }
  box.append(...message.blocks.flatMap(block));
  if (!message.blocks.length) box.append(make('p', 'note', 'Nothing'));
  return box;
};

const fold = (messages) => {
  const box = make('details', 'fold');
  const n = messages.length;
  box.append(make('summary', '', `${n} ${n === 1 ? 'message' : 'messages'} as in the call before`));
  box.addEventListener('toggle', () => {
    if (box.open && box.childElementCount === 1) box.append(...messages.map(bubble));
  });
  return box;
};

const thread = (messages) => {
  const drawn = [];
  for (let at = 0; at < messages.length; at += 1) {
    let end = at;
    while (messages[end]?.state === 'old') end += 1;
    if (end > at) {
      drawn.push(fold(messages.slice(at, end)));
      at = end - 1;
    } else {
      drawn.push(bubble(messages[at]));
    }
  }
  return drawn;
};

export default function ({ data, parentElement, setTriggerValue }) {
  const root = make('div', 'call');
  const figures = make('div', 'facts');
  figures.append(...data.facts.map(fact));
  root.append(figures);
  if (data.tags.length) {
    const tags = make('div', 'tags');
    for (const [name, value] of data.tags) {
      const tag = make('button', 'tag');
      tag.title = `Filter by ${name}`;
      tag.append(make('span', 'soft', name), make('span', '', value));
      tag.onclick = () => setTriggerValue('tag', { name, value, at: Date.now() });
      tags.append(tag);
    }
    root.append(tags);
  }
  if (data.error) root.append(make('p', 'error', data.error));
  if (data.messages) root.append(...thread(data.messages));
  parentElement.querySelectorAll('.call').forEach((old) => old.remove());
  parentElement.append(root);
}
