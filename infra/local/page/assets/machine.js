// The machine, drawn like a line of an underground: the way up as the line, the way back below it. Where there
// is less room the stops move together and their names take two rows; on a narrow screen the line runs downwards.
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

// Along the line and across it, whichever way it runs.
function geometry(machine, upright, width) {
  const last = machine.main.length - 1;
  const share = upright ? 1 : width / roomy;
  // Of the way back: from contract to its first stop, from stop to stop, and home.
  const [first, leg, home] = upright ? [40, 42, 48] : [72 * share, Math.max(86, 106 * share), Math.max(64, 82 * share)];
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
  const { p, at, main, rail, bend } = g;
  const root = svg('svg', { viewBox: `0 0 ${g.width} ${g.height}`, class: `line ${upright ? 'upright' : 'level'}`, role: 'img' });
  root.append(svg('title'));
  const last = machine.main.length - 1;

  // The way back: a drop from every station but the last into one rail.
  const rails = svg('g', { class: 'rails' });
  for (let i = 0; i < last; i++) {
    const d = `M${p(at(i), main)}L${p(at(i), rail - bend)}Q${p(at(i), rail)} ${p(at(i) + bend, rail)}L${p(g.back[0], rail)}`;
    rails.append(svg('path', { d, class: 'drop', 'data-from': i }));
  }
  for (let i = 1; i < g.back.length; i++) {
    rails.append(svg('path', { d: `M${p(g.back[i - 1], rail)}L${p(g.back[i], rail)}`, class: 'leg', 'data-to': machine.back[i].state }));
  }
  const home = `M${p(g.back.at(-1), rail)}L${p(g.finish - bend, rail)}Q${p(g.finish, rail)} ${p(g.finish, rail - bend)}L${p(g.finish, main)}`;
  rails.append(svg('path', { d: home, class: 'leg', 'data-to': machine.main[last].state }));
  root.append(rails);

  // The line itself, and over it the part that has been travelled.
  const line = `M${p(at(0), main)}L${p(g.finish, main)}`;
  root.append(svg('path', { d: line, class: 'track' }), svg('path', { d: line, class: 'travelled', pathLength: 1 }));

  // The loop of the ramp.
  const [ramp, check] = [machine.main.findIndex(s => s.state === 'Ramp'), machine.main.findIndex(s => s.state === 'CheckAlarms')];
  const top = main - g.arc;
  root.append(svg('path', { class: 'loop', d: `M${p(at(check), main)}C${p(at(check), top)} ${p(at(ramp), top)} ${p(at(ramp), main - (upright ? 0 : 13))}` }));

  // From contract on there is no way back.
  const edge = (at(last - 1) + at(last - 2)) / 2;
  root.append(svg('path', { class: 'edge', d: `M${p(edge, main - (upright ? 20 : 34))}L${p(edge, upright ? rail - 30 : main + 24)}` }));
  const [ex, ey] = upright ? [rail - 34, edge - 5] : [edge, main - 42];
  root.append(text(ex, ey, 'edge-label', 'point of no return', upright ? 'end' : 'middle'));
  if (!upright) root.append(text(at(0) + 22, rail + 5, 'rail-label', 'any failure before contract leads back', 'start'));

  const stations = svg('g', { class: 'stations' });
  machine.main.forEach((s, i) => stations.append(stop(g, s, at(i), main, i === last, i % 2)));
  machine.back.forEach((s, i) => stations.append(stop(g, s, g.back[i], rail, false, 0)));
  root.append(stations);
  const [fx, fy] = g.xy(g.finish, main);
  root.append(upright ? text(fx + 92, fy + 5, 'end', '', 'start') : text(fx, fy - 26, 'end', '', 'middle'));
  root.stops = machine.main.map((_, i) => (at(i) - at(0)) / (g.finish - at(0)));
  return root;
}

function stop(g, station, along, across, terminal, odd) {
  const [x, y] = g.xy(along, across);
  const onRail = across === g.rail;
  const node = svg('g', { class: 'stop', 'data-state': station.state });
  node.append(svg('circle', { cx: x, cy: y, r: 9, class: 'halo' }), svg('circle', { cx: x, cy: y, r: terminal ? 11 : 8, class: 'dot' }));
  if (terminal) node.append(svg('circle', { cx: x, cy: y, r: 4.5, class: 'core' }));
  node.append(svg('path', { class: 'cross', d: `M${x - 3} ${y - 3}l6 6m0-6l-6 6` }));
  const [lx, ly, anchor] = !g.upright ? [x, y + (onRail ? 28 : g.rows === 2 && odd ? 48 : 32), 'middle'] : onRail ? [x - 20, y + 5, 'end'] : [x + 20, y + 5, 'start'];
  node.append(text(lx, ly, 'name', station.state, anchor));
  const loops = station.state === 'Ramp' && !g.upright;
  const beside = station.state === 'Drain'; // the edge stands at its other side
  const [nx, ny, nanchor] = g.upright ? [x + 96, y + 5, 'start']
    : loops ? [x + g.gap / 2, y - 46, 'middle'] : [x + (beside ? 14 : 0), y - 24, beside ? 'end' : 'middle'];
  node.append(text(nx, ny, 'note', '', nanchor));
  return node;
}

// light brings a lit rail to the front: rails lie upon each other.
function light(rail, lit) {
  if (lit && !rail.classList.contains('lit')) rail.parentNode.append(rail);
  rail.classList.toggle('lit', lit);
}

function text(x, y, className, content, anchor) {
  return svg('text', { x, y, class: className, 'text-anchor': anchor }, content);
}

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
  root.classList.toggle('failed', back || (machine.end && !machine.good));
  for (const drop of root.querySelectorAll('.drop')) light(drop, back && +drop.dataset.from === machine.fork);
  for (const leg of root.querySelectorAll('.leg')) light(leg, back && states.some(s => s.state === leg.dataset.to && s.mark));
  root.querySelector('.loop').classList.toggle('lit', machine.main.some(s => s.state === 'CheckAlarms' && s.mark));
  const end = root.querySelector('.end');
  end.textContent = { RolledBack: 'Rolled back', RollbackFailed: 'Rollback failed', LostTheLock: 'Lost the lock' }[machine.end] || machine.end;
  end.classList.toggle('good', machine.good);
  const now = states.find(s => s.mark === 'current');
  root.querySelector('title').textContent = now ? `${machine.release} is in ${now.state}` : `${machine.release} ${end.textContent}`;
}
