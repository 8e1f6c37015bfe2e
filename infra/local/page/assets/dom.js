// Shared by all drawings: make nodes, colour releases, and rebuild only what has changed.

export const byId = id => document.getElementById(id);

export function element(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) {
    node.setAttribute(name, value);
  }

  node.append(...children);
  return node;
}

// once calls build only if the data differs from the data that the node was last built from.
export function once(node, data, build) {
  const key = JSON.stringify([data, colours]);
  if (node.dataset.key === key) return;
  node.dataset.key = key;
  build(node);
}

let colours = {};

export function setColours(ofReleases) { colours = ofReleases; }

// colour is the class that gives a release its colour. It is the same all over the page.
export function colour(release) {
  return release in colours ? `r${colours[release]}` : 'r-none';
}

export function chip(release) {
  return element('span', `chip ${colour(release)}`, release || '–');
}

export const number = n => n.toLocaleString('en');

export const percent = share => `${+(share / 100).toFixed(1)}\u202f%`;

export function seconds(n) {
  n = Math.max(0, Math.round(n));
  if (n < 90) return `${n}\u202fs`;

  const minutes = Math.floor(n / 60);
  if (minutes < 90) return `${minutes}:${String(n % 60).padStart(2, '0')}\u202fmin`;
  return `${(n / 3600).toFixed(1)}\u202fh`;
}
