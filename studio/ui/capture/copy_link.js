export default function ({ data, parentElement }) {
  const button = document.createElement('button');
  button.textContent = data.label;
  button.onclick = async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      button.textContent = 'Link copied';
    } catch {
      button.textContent = 'Copy it from the address bar';
    }
    setTimeout(() => { button.textContent = data.label; }, 2000);
  };
  parentElement.querySelectorAll('button').forEach((old) => old.remove());
  parentElement.append(button);
}
