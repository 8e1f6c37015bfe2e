// What is told in words and numbers: viewers, environments, the story, the releases, the alarms.
import { byId, chip, colour, element, number, once, percent, seconds } from './dom.js';

const counters = [
  ['viewers', 'viewers'], ['pageViews', 'page views'], ['requests', 'requests'],
  ['failed', 'failed calls'], ['failedOutsideBadRelease', 'failed outside a bad release'], ['straddledRollback', 'open during a rollback'],
];

export function drawVisitors(visitors) {
  const mixed = byId('mixed');
  mixed.dataset.tone = visitors.mixed ? 'bad' : 'good';
  mixed.firstElementChild.textContent = number(visitors.mixed);
  mixed.lastElementChild.textContent = visitors.mixed === 1 ? 'mixed view' : 'mixed views';
  once(byId('counters'), visitors, list => list.replaceChildren(...counters.map(([key, label]) => {
    const row = element('div', '', element('dt', '', label), element('dd', '', number(visitors[key])));
    if (key === 'failedOutsideBadRelease' && visitors[key]) row.className = 'bad';
    return row;
  })));
}

export function drawEnvironments(environments, schema) {
  once(byId('split'), environments.map(e => [e.share, e.release]), bar => {
    if (bar.childElementCount !== environments.length) bar.replaceChildren(...environments.map(() => element('i')));
    environments.forEach((e, i) => {
      bar.children[i].className = colour(e.release);
      bar.children[i].style.flexGrow = e.share;
    });
  });
  once(byId('environments'), environments, node => node.replaceChildren(...environments.map(column)));
  once(byId('schema'), schema, node => node.replaceChildren(element('span', 'link', ''), element('span', 'name', 'schema'),
    chip(schema.release), element('span', 'detail', !schema.release ? 'nothing yet' : schema.contracted ? 'contracted' : 'expanded, both versions fit')));
  byId('schema').className = `schema ${colour(schema.release)}`;
}

const shownFunctions = 6;

function column(e) {
  const head = element('header', '', element('span', 'letter', e.name), element('span', `role ${e.role}`, e.role || 'no role yet', duty(e)), element('b', 'share', percent(e.share)));
  const functions = e.layers.filter(l => l.kind === 'function');
  const layers = e.layers.filter(l => l.kind !== 'function').concat(functions.slice(0, shownFunctions));
  const chain = element('ul', 'chain', ...layers.map(l => element('li', colour(l.release),
    element('span', 'link'), element('span', 'name', l.name), chip(l.release), element('span', 'detail', l.detail))));
  if (functions.length > shownFunctions) chain.append(element('li', 'more', `and ${functions.length - shownFunctions} functions more`));
  const node = element('article', `environment ${colour(e.release)}`, head, chain);
  node.dataset.settled = e.settled;
  return node;
}

function duty(e) {
  if (!e.preview) return element('small', '', e.duty);
  const link = element('a', '', 'preview');
  Object.assign(link, { href: e.preview, target: '_blank', title: `Be a tester of ${e.release} in this browser` });
  return element('small', '', `${e.duty}, `, link);
}

export function drawStory(list, story) {
  once(list, story, () => list.replaceChildren(...story.map(line => {
    const item = element('li', '', element('time', '', clock(line.at)), chip(line.release), element('span', 'text', line.text));
    item.dataset.tone = line.tone;
    if (line.full) item.title = line.full;
    return item;
  })));
}

const clock = at => new Date(at).toLocaleTimeString('en-GB');

const outcomes = { released: 'released', rolledBack: 'rolled back', superseded: 'superseded', refused: 'refused' };

export function drawReleases(list, releases) {
  const rows = releases.map(r => ({ ...r, seconds: Math.round(r.seconds) }));
  once(list, rows, () => list.replaceChildren(...rows.map(r => {
    const outcome = element('span', 'outcome', outcomes[r.outcome] || 'under way');
    outcome.dataset.outcome = r.outcome || 'going';
    const item = element('li', '', chip(r.release), outcome);
    if (r.attempt > 1) outcome.append(element('small', '', ` attempt ${r.attempt}`));
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
    const item = element('li', '', element('span', 'lamp'), element('span', 'name', a.name), element('span', 'state', states[a.state] || a.state));
    item.dataset.state = a.state;
    if (a.reason) item.title = a.reason;
    return item;
  })));
}
