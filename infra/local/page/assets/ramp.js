// The ramp: the share of the viewers that a release has had over time, what was decided on the way, and,
// dotted, what is planned.
import { colour, percent, seconds } from './dom.js';
import { gridline, nice, plot } from './plot.js';

const verdicts = ['healthy', 'inconclusive', 'breached'];
// Flags by weight: where there is room for one only, the first has it.
const flags = ['rollback', 'alarm', 'promote', 'contract', 'advance'];
const flagNames = { advance: 'next step' };

export function drawRamp(box, aside, ramp, nowText) {
  const now = Date.parse(nowText);
  aside.textContent = bakeText(ramp, now);
  const p = plot(box, { left: 48, top: 36 });
  const y = p.y(0, 10000);
  for (const share of [0, 2500, 5000, 7500, 10000]) gridline(p, y(share), share % 5000 ? '' : percent(share));
  if (!ramp.began) return p.show();

  const began = Date.parse(ramp.began);
  const until = ramp.ended ? Date.parse(ramp.ended) : now;
  const points = ramp.points.map(point => ({ at: Date.parse(point.at), share: point.share }));
  const back = ramp.marks.find(mark => mark.kind === 'rollback');
  const ghost = ramp.ended || back ? [] : planned(ramp, points.at(-1).share, now);
  const end = Math.max(until, ghost.length ? ghost.at(-1).at : 0, began + 1000);
  const x = p.x(began, end + (end - began) * 0.02);
  ticks(p, x, began, end);

  p.root.classList.add(colour(ramp.release));
  if (ghost.length) p.add('path', { d: steps([{ at: now, share: points.at(-1).share }, ...ghost], ghost.at(-1).at, x, y), class: 'ghost' });
  const held = ramp.pauses.map(pause => [x(Date.parse(pause.from)), x(pause.to ? Date.parse(pause.to) : until)]);
  for (const [from, to] of held) shade(p, from, to);
  const line = steps(points, until, x, y);
  p.add('path', { d: `${line}V${y(0)}H${x(points[0].at)}Z`, class: 'area' });
  p.add('path', { d: line, class: 'curve' });
  if (back) {
    const at = Date.parse(back.at);
    const before = points.filter(point => point.at < at).at(-1)?.share ?? 0;
    p.add('path', { d: `M${x(at)} ${y(before)}V${y(0)}H${x(until)}`, class: 'curve bad' });
  }
  const shareAt = at => points.filter(point => point.at <= at).at(-1)?.share ?? 0;
  const taken = [];
  for (const kind of flags) {
    for (const mark of ramp.marks.filter(m => m.kind === kind)) flag(p, x(Date.parse(mark.at)), mark, taken);
  }
  for (const [from, to] of held) note(p, (from + to) / 2, 'paused', taken);
  for (const mark of ramp.marks.filter(m => verdicts.includes(m.kind))) {
    const at = Date.parse(mark.at);
    verdict(p, x(at), y(shareAt(at - 1)), mark);
  }
  if (!ramp.ended) {
    const share = points.at(-1).share;
    p.add('circle', { cx: x(until), cy: y(share), r: 5, class: `head${back ? ' bad' : ''}` });
    const edge = x(until) > p.frame.right - 40;
    p.add('text', { x: x(until) + (edge ? 4 : 8), y: y(share) + (share > 9000 ? 22 : -10), class: 'head-label', 'text-anchor': edge ? 'end' : 'start' }, percent(share));
  }
  p.show();
}

function bakeText(ramp, now) {
  if (!ramp.wait) return '';
  if (ramp.wait.stopped) return ramp.wait.stopped;
  const left = (Date.parse(ramp.wait.until) - now) / 1000;
  return left > 0 ? `next look in ${seconds(Math.ceil(left))}` : 'looking';
}

// planned are the steps to come, if every one of them is found healthy.
function planned(ramp, share, now) {
  let at = ramp.wait ? Math.max(now, Date.parse(ramp.wait.until)) : now;
  const list = [];
  ramp.plan.forEach((weight, i) => {
    if (weight <= share) return;
    list.push({ at, share: weight });
    at += ramp.bakes[i] * 1000;
  });
  if (list.length) list.push({ at, share: list.at(-1).share });
  return list;
}

function steps(points, until, x, y) {
  let d = `M${x(points[0].at).toFixed(1)} ${y(points[0].share).toFixed(1)}`;
  for (const point of points.slice(1)) d += `H${x(point.at).toFixed(1)}V${y(point.share).toFixed(1)}`;
  return `${d}H${x(until).toFixed(1)}`;
}

function ticks(p, x, began, end) {
  const span = (end - began) / 1000;
  const step = nice(span, Math.max(3, (p.frame.right - p.frame.left) / 90));
  for (let s = 0; s <= span; s += step) {
    p.add('text', { x: x(began + s * 1000), y: p.frame.bottom + 18, class: 'tick', 'text-anchor': s ? 'middle' : 'start' }, seconds(s));
  }
}

function verdict(p, x, y, mark) {
  const dot = p.add('circle', { cx: x, cy: y, r: 4.5, class: `verdict ${mark.kind}` });
  dot.append(title(mark.text));
}

// shade marks the time that the operator held the ramp.
function shade(p, from, to) {
  p.add('rect', { x: from, y: p.frame.top, width: Math.max(2, to - from), height: p.frame.bottom - p.frame.top, class: 'pause' }).append(title('paused'));
}

// flag writes a word at the top, on whichever side of its staff and in whichever of two rows it covers no other.
function flag(p, x, mark, taken) {
  const bad = mark.kind === 'alarm' || mark.kind === 'rollback' ? ' bad' : '';
  const word = flagNames[mark.kind] || mark.kind;
  const width = room(word);
  const places = [14, 29].flatMap(y => [{ y, from: x, to: x + width, anchor: 'start' }, { y, from: x - width, to: x, anchor: 'end' }]);
  const place = places.find(place => free(p, place, taken));
  const staff = p.add('path', { d: `M${x} ${place ? place.y - 6 : p.frame.top}V${p.frame.bottom}`, class: `staff${bad}` });
  staff.append(title(mark.text));
  if (!place) return;
  taken.push(place);
  p.add('text', { x: place.anchor === 'start' ? x + 5 : x - 5, y: place.y, class: `flag${bad}`, 'text-anchor': place.anchor }, word);
}

// note writes a word above the plot, if nothing else is there.
function note(p, x, word, taken) {
  const place = { y: 29, from: x - room(word) / 2, to: x + room(word) / 2 };
  if (!free(p, place, taken)) return;
  taken.push(place);
  p.add('text', { x, y: place.y, class: 'flag', 'text-anchor': 'middle' }, word);
}

const room = word => word.length * 7 + 10;

const free = (p, { y, from, to }, taken) => to < p.frame.right + 14 && from > p.frame.left && !taken.some(t => t.y === y && from < t.to && to > t.from);

function title(text) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', 'title');
  node.textContent = text;
  return node;
}
