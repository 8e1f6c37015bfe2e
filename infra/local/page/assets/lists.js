// The parts of the page in words and numbers: viewers, environments, events, releases, alarms.
import { byId, chip, colour, element, number, once, percent, seconds } from './dom.js';

const counters = [
  ['viewers', 'viewers'],
  ['pageViews', 'page views'],
  ['requests', 'requests'],
  ['failed', 'failed calls'],
  ['failedOutsideBadRelease', 'failed outside a bad release'],
  ['straddledRollback', 'open during a rollback'],
];

export function drawVisitors(visitors) {
  const mixed = byId('mixed');
  mixed.dataset.tone = visitors.mixed ? 'bad' : 'good';
  mixed.firstElementChild.textContent = number(visitors.mixed);
  mixed.lastElementChild.textContent = visitors.mixed === 1 ? 'mixed view' : 'mixed views';

  once(byId('counters'), visitors, list => list.replaceChildren(...counters.map(([key, label]) => {
    const term = element('dt', '', label);
    const row = element('div', '', term, element('dd', '', number(visitors[key])));
    if (key === 'failedOutsideBadRelease' && visitors[key]) row.className = 'bad';
    return row;
  })));
}

export function drawEnvironments(environments, schema) {
  once(byId('split'), environments.map(e => [e.share, e.release]), bar => {
    if (bar.childElementCount !== environments.length) {
      bar.replaceChildren(...environments.map(() => element('i')));
    }
    environments.forEach((e, i) => {
      bar.children[i].className = colour(e.release);
      bar.children[i].style.flexGrow = e.share;
    });
  });
  once(byId('environments'), environments,
    node => node.replaceChildren(...environments.map(column)));

  once(byId('schema'), schema, node => node.replaceChildren(
    element('span', 'link', ''),
    element('span', 'name', 'schema'),
    chip(schema.release),
    element('span', 'detail', schemaDetail(schema)),
  ));
  byId('schema').className = `schema ${colour(schema.release)}`;
}

function schemaDetail(schema) {
  if (!schema.release) return 'nothing yet';
  return schema.contracted ? 'contracted' : 'expanded, both versions fit';
}

const shownFunctions = 6;

function column(e) {
  const head = element('header', '',
    element('span', 'letter', e.name),
    element('span', `role ${e.role}`, e.role || 'no role yet', duty(e)),
    element('b', 'share', percent(e.share)));

  const functions = e.layers.filter(l => l.kind === 'function');
  const others = e.layers.filter(l => l.kind !== 'function');
  const chain = element('ul', 'chain');
  for (const l of [...others, ...functions.slice(0, shownFunctions)]) {
    chain.append(element('li', colour(l.release),
      element('span', 'link'),
      element('span', 'name', l.name),
      chip(l.release),
      element('span', 'detail', l.detail)));
  }

  const more = functions.length - shownFunctions;
  if (more > 0) chain.append(element('li', 'more', `and ${more} more functions`));

  const node = element('article', `environment ${colour(e.release)}`, head, chain);
  node.dataset.inSync = e.inSync;
  return node;
}

function duty(e) {
  if (!e.preview) return element('small', '', e.duty);

  const link = element('a', '', 'preview');
  link.href = e.preview;
  link.target = '_blank';
  link.title = `Test ${e.release} in this browser`;
  return element('small', '', `${e.duty}, `, link);
}

export function drawEvents(list, events) {
  once(list, events, () => list.replaceChildren(...events.map(event => {
    const item = element('li', '',
      element('time', '', clock(event.at)),
      chip(event.release),
      element('span', 'text', event.text));
    item.dataset.tone = event.tone;
    if (event.full) item.title = event.full;
    return item;
  })));
}

const clock = at => new Date(at).toLocaleTimeString('en-GB');

const outcomes = {
  released: 'released', rolledBack: 'rolled back', superseded: 'superseded', refused: 'refused',
};

export function drawReleases(list, releases) {
  const rows = releases.map(r => ({ ...r, seconds: Math.round(r.seconds) }));

  once(list, rows, () => list.replaceChildren(...rows.map(r => {
    const outcome = element('span', 'outcome', outcomes[r.outcome] || 'under way');
    outcome.dataset.outcome = r.outcome || 'going';
    if (r.attempt > 1) outcome.append(element('small', '', ` attempt ${r.attempt}`));

    const item = element('li', '', chip(r.release), outcome);
    if (r.cause) {
      item.title = r.cause;
      item.append(element('p', '', r.brief));
    }
    item.append(element('span', 'took', seconds(r.seconds)));
    return item;
  })));
}

const states = { OK: 'ok', ALARM: 'alarm', INSUFFICIENT_DATA: 'no data' };

export function drawAlarms(list, alarms) {
  once(list, alarms, () => list.replaceChildren(...alarms.map(a => {
    const item = element('li', '',
      element('span', 'lamp'),
      element('span', 'name', a.name),
      element('span', 'state', states[a.state] || a.state));
    item.dataset.state = a.state;
    if (a.reason) item.title = a.reason;
    return item;
  })));
}
