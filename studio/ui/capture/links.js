export default function ({ data, parentElement }) {
  const root = document.createElement('div');
  root.className = 'links';
  for (const { href, title, told } of data.links) {
    const link = document.createElement('a');
    link.href = href;
    link.setAttribute('download', '');
    const name = document.createElement('b'), about = document.createElement('span');
    name.textContent = title;
    about.textContent = told;
    link.append(name, about);
    root.append(link);
  }
  parentElement.querySelectorAll('.links').forEach((old) => old.remove());
  parentElement.append(root);
}
