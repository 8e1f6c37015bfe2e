// The machine, drawn like an underground line: the states of a successful release form the line,
// and those of a rollback run below it. With less room the stations move together and their names
// take two rows. On a narrow screen the line runs downwards.
import { colour, svg } from './dom.js';

const narrow = matchMedia('(max-width: 760px)'); // page.css goes to one column there
const roomy = 1366;
const widest = 480;

export function drawMachine(box, machine) {
  const upright = narrow.matches;
  const width = Math.min(upright ? widest : roomy, box.clientWidth);
  const shape = `${upright}-${width}`;

  if (box.dataset.shape !== shape) {
    box.dataset.shape = shape;
    box.replaceChildren(build(machine, upright, width));
  }
  update(box.firstElementChild, machine);
}

// geometry measures along the line and across it, whichever way the line runs.
function geometry(machine, upright, width) {
  const last = machine.main.length - 1;
  const share = upright ? 1 : width / roomy;

  // The way back: from contract to its first station, between its stations, and to the end.
  const [first, leg, home] = upright
    ? [40, 42, 48]
    : [72 * share, Math.max(86, 106 * share), Math.max(64, 82 * share)];
  const [start, margin] = upright ? [26, 34] : [Math.max(30, 54 * share), 64];
  const gap = upright ? 42 : (width - start - margin - first - 2 * leg - home) / (last - 1);

  const g = upright
    ? { gap, start, main: 44, rail: width - 22, bend: 12, arc: 24 }
    : { gap, start, main: 70, rail: 146, bend: 16, arc: 44, rows: gap < 88 ? 2 : 1 };
  g.upright = upright;
  if (g.rows === 2) g.rail += 14;

  const contract = start + (last - 1) * gap;
  g.back = machine.back.map((_, i) => contract + first + i * leg);
  g.finish = g.back.at(-1) + home;
  g.at = i => i === last ? g.finish : g.start + i * gap;
  g.p = (along, across) => upright ? `${across} ${along}` : `${along} ${across}`;
  g.xy = (along, across) => upright ? [across, along] : [along, across];
  g.width = width;
  g.height = upright ? g.finish + margin : g.rail + 36;
  return g;
}

function build(machine, upright, width) {
  const g = geometry(machine, upright, width);
  const { p, at, main } = g;
  const root = svg('svg', {
    viewBox: `0 0 ${g.width} ${g.height}`,
    class: `line ${upright ? 'upright' : 'level'}`,
    role: 'img',
  });
  root.append(svg('title'), buildRails(machine, g));

  // The line itself, and over it the part that has been travelled.
  const line = `M${p(at(0), main)}L${p(g.finish, main)}`;
  root.append(
    svg('path', { d: line, class: 'track' }),
    svg('path', { d: line, class: 'travelled', pathLength: 1 }),
  );

  root.append(buildLoop(machine, g), ...buildEdge(machine, g), buildStations(machine, g));

  const [x, y] = g.xy(g.finish, main);
  root.append(upright
    ? text(x + 92, y + 5, 'end', '', 'start')
    : text(x, y - 26, 'end', '', 'middle'));

  root.stops = machine.main.map((_, i) => (at(i) - at(0)) / (g.finish - at(0)));
  return root;
}

// buildRails draws the way back: every station but the last has a drop into one rail.
function buildRails(machine, g) {
  const { p, at, main, rail, bend } = g;
  const last = machine.main.length - 1;
  const rails = svg('g', { class: 'rails' });

  for (let i = 0; i < last; i++) {
    const down = `M${p(at(i), main)}L${p(at(i), rail - bend)}`;
    const turn = `Q${p(at(i), rail)} ${p(at(i) + bend, rail)}`;
    const d = `${down}${turn}L${p(g.back[0], rail)}`;
    rails.append(svg('path', { d, class: 'drop', 'data-from': i }));
  }

  for (let i = 1; i < g.back.length; i++) {
    const d = `M${p(g.back[i - 1], rail)}L${p(g.back[i], rail)}`;
    rails.append(svg('path', { d, class: 'leg', 'data-to': machine.back[i].state }));
  }

  const along = `M${p(g.back.at(-1), rail)}L${p(g.finish - bend, rail)}`;
  const turn = `Q${p(g.finish, rail)} ${p(g.finish, rail - bend)}`;
  const d = `${along}${turn}L${p(g.finish, main)}`;
  rails.append(svg('path', { d, class: 'leg', 'data-to': machine.main[last].state }));
  return rails;
}

// buildLoop draws the loop of the ramp, from CheckAlarms back to Ramp.
function buildLoop(machine, { p, at, main, arc, upright }) {
  const indexOf = state => machine.main.findIndex(s => s.state === state);
  const ramp = at(indexOf('Ramp'));
  const check = at(indexOf('CheckAlarms'));
  const top = main - arc;

  const bow = `C${p(check, top)} ${p(ramp, top)} ${p(ramp, main - (upright ? 0 : 13))}`;
  return svg('path', { class: 'loop', d: `M${p(check, main)}${bow}` });
}

// buildEdge marks the point before contract, after which there is no way back.
function buildEdge(machine, { p, at, main, rail, upright }) {
  const last = machine.main.length - 1;
  const edge = (at(last - 1) + at(last - 2)) / 2;
  const from = p(edge, main - (upright ? 20 : 34));
  const to = p(edge, upright ? rail - 30 : main + 24);
  const parts = [svg('path', { class: 'edge', d: `M${from}L${to}` })];

  const label = 'point of no return';
  if (upright) return [...parts, text(rail - 34, edge - 5, 'edge-label', label, 'end')];

  const railLabel = 'any failure before contract leads back';
  return [
    ...parts,
    text(edge, main - 42, 'edge-label', label, 'middle'),
    text(at(0) + 22, rail + 5, 'rail-label', railLabel, 'start'),
  ];
}

function buildStations(machine, g) {
  const last = machine.main.length - 1;
  const stations = svg('g', { class: 'stations' });
  machine.main.forEach((s, i) => stations.append(
    buildStation(g, s, g.at(i), g.main, i === last, i % 2)));
  machine.back.forEach((s, i) => stations.append(
    buildStation(g, s, g.back[i], g.rail, false, 0)));
  return stations;
}

function buildStation(g, station, along, across, terminal, odd) {
  const [x, y] = g.xy(along, across);
  const node = svg('g', { class: 'stop', 'data-state': station.state });
  node.append(
    svg('circle', { cx: x, cy: y, r: 9, class: 'halo' }),
    svg('circle', { cx: x, cy: y, r: terminal ? 11 : 8, class: 'dot' }),
  );
  if (terminal) node.append(svg('circle', { cx: x, cy: y, r: 4.5, class: 'core' }));
  node.append(svg('path', { class: 'cross', d: `M${x - 3} ${y - 3}l6 6m0-6l-6 6` }));

  const [nameX, nameY, nameAnchor] = namePlace(g, x, y, across === g.rail, odd);
  node.append(text(nameX, nameY, 'name', station.state, nameAnchor));

  const [noteX, noteY, noteAnchor] = notePlace(g, x, y, station.state);
  node.append(text(noteX, noteY, 'note', '', noteAnchor));
  return node;
}

function namePlace(g, x, y, onRail, odd) {
  if (g.upright) return onRail ? [x - 20, y + 5, 'end'] : [x + 20, y + 5, 'start'];
  if (onRail) return [x, y + 28, 'middle'];
  return [x, y + (g.rows === 2 && odd ? 48 : 32), 'middle'];
}

function notePlace(g, x, y, state) {
  if (g.upright) return [x + 96, y + 5, 'start'];
  if (state === 'Ramp') return [x + g.gap / 2, y - 46, 'middle']; // over its loop
  if (state === 'Drain') return [x + 14, y - 24, 'end']; // the edge is at its other side
  return [x, y - 24, 'middle'];
}

// light brings a lit rail to the front, since rails overlap.
function light(rail, lit) {
  if (lit && !rail.classList.contains('lit')) rail.parentNode.append(rail);
  rail.classList.toggle('lit', lit);
}

function text(x, y, className, content, anchor) {
  return svg('text', { x, y, class: className, 'text-anchor': anchor }, content);
}

const endNames = {
  RolledBack: 'Rolled back', RollbackFailed: 'Rollback failed', LostTheLock: 'Lost the lease',
};

function update(root, machine) {
  root.classList.remove(...[...root.classList].filter(name => /^r(\d|-none)/.test(name)));
  root.classList.add(colour(machine.release));

  const states = [...machine.main, ...machine.back];
  for (const s of states) {
    const node = root.querySelector(`[data-state="${s.state}"]`);
    node.setAttribute('data-mark', s.mark);
    node.querySelector('.note').textContent = s.note;
  }

  const travelled = machine.furthest < 0 ? 0 : root.stops[machine.furthest];
  root.querySelector('.travelled').style.strokeDashoffset = 1 - travelled;

  const back = machine.back.some(s => s.mark);
  const marked = state => states.some(s => s.state === state && s.mark);
  root.classList.toggle('failed', back || (machine.end && !machine.good));
  for (const drop of root.querySelectorAll('.drop')) {
    light(drop, back && +drop.dataset.from === machine.fork);
  }
  for (const leg of root.querySelectorAll('.leg')) light(leg, back && marked(leg.dataset.to));
  root.querySelector('.loop').classList.toggle('lit', marked('CheckAlarms'));

  const end = root.querySelector('.end');
  end.textContent = endNames[machine.end] || machine.end;
  end.classList.toggle('good', machine.good);

  const now = states.find(s => s.mark === 'current');
  root.querySelector('title').textContent = now
    ? `${machine.release} is in ${now.state}`
    : `${machine.release} ${end.textContent}`;
}
