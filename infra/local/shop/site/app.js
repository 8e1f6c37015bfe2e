const meta = name => document.querySelector(`meta[name="lockstep-${name}"]`).content;
const release = meta('release');
const api = meta('api');
const byId = id => document.getElementById(id);
const names = [
  'Ada Lovelace', 'Alan Turing', 'Hypatia', 'Grace Hopper',
  'Emmy Noether', 'Katherine Johnson', 'Sappho', 'Niels Bohr',
];

// Every answer of the API names the release that gave it, and the site names the release that a
// reload would get. If one of them is not the page's own release, the page is out of date.
const seen = {};

function compare(layer, itsRelease) {
  if (!itsRelease) return;
  seen[layer] = itsRelease;
  const others = Object.values(seen).filter(other => other !== release);
  byId('outdated').hidden = others.length === 0;
  byId('other-release').textContent = others[0] || '';
}

async function askSite() {
  if (document.hidden) return;
  const { headers } = await fetch(location.pathname, { method: 'HEAD', cache: 'no-store' });
  compare('site', headers.get('x-amz-meta-lockstep-release'));
}

async function call(path, options) {
  const response = await fetch(api + path, options);
  const answered = response.headers.get('x-lockstep-release');
  if (answered) byId('api-release').textContent = answered;
  compare('api', answered);
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(body.message || `The shop answered ${response.status}.`);
  return body;
}

function element(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

function picture(slug) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 96 96');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', `${document.body.dataset.goods}#${slug}`);
  svg.append(use);
  return svg;
}

const price = cents => (cents / 100).toLocaleString('en', { style: 'currency', currency: 'EUR' });

function ago(time) {
  const minutes = Math.max(0, Math.round((Date.now() - new Date(time)) / 60000));
  if (minutes < 1) return 'just now';
  return minutes < 60 ? `${minutes} min ago` : `${Math.round(minutes / 60)} h ago`;
}

function say(text) {
  const toast = byId('toast');
  toast.textContent = text;
  toast.hidden = false;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { toast.hidden = true; }, 3500);
}

async function showProducts() {
  const { products } = await call('/catalog');
  byId('products').replaceChildren(...products.map(p => {
    const buy = element('button', '', 'Order');
    buy.type = 'button';
    buy.setAttribute('aria-label', `Order ${p.name}`);
    buy.addEventListener('click', () => order(p));

    const card = element('li', '',
      picture(p.slug),
      element('h3', '', p.name),
      element('p', '', p.about),
      element('div', 'buy', element('b', '', price(p.cents)), buy));
    if (p.sold) card.append(element('small', '', `${p.sold} sold`));
    return card;
  }));
}

async function showOrders() {
  const list = byId('orders');
  try {
    const { orders, thanks } = await call('/orders');
    list.replaceChildren(...orders.map(o => element('li', '',
      element('span', 'who', customer(o)),
      ` ordered ${o.gift ? 'a gift: ' : ''}${o.product} `,
      element('time', '', ago(o.placed)))));
    byId('thanks').hidden = !thanks;
    if (thanks) {
      byId('thanks').textContent = `Thank you, ${thanks.join(', ')}: our first customers.`;
    }
  } catch (error) {
    list.replaceChildren(element('li', 'wrong', `The orders cannot be shown: ${error.message}`));
  }
}

async function order(product) {
  try {
    const name = names[Math.floor(Math.random() * names.length)];
    const purchase = { product: product.id, ...signature(name) };
    const { thanks } = await call('/orders', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(purchase),
    });
    say(`${thanks}. One ${product.name.toLowerCase()} is on its way.`);
  } catch (error) {
    say(`The order did not go through: ${error.message}`);
  }
  await showOrders();
}

for (const still of document.querySelectorAll('[data-picture]')) {
  still.append(picture(still.dataset.picture));
}
byId('site-release').textContent = release;
byId('environment').textContent = meta('environment');
byId('reload').addEventListener('click', () => location.reload());

const check = () => askSite().catch(() => {}); // if it fails, the next check tries again
document.addEventListener('visibilitychange', check);
setInterval(check, 15_000);

showProducts().catch(error => say(error.message));
showOrders();
