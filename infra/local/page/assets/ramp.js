// The ramp: the share of the viewers that a release has had over time, the decisions on the way,
// and, dotted, the steps that are planned.
import { colour, percent, seconds } from './dom.js';
import { gridline, nice, plot } from './plot.js';

const verdicts = ['healthy', 'inconclusive', 'breached'];
// The marks that get a flag. Where flags overlap, the first of this list is written.
const flags = ['rollback', 'alarm', 'promote', 'contract', 'advance'];
const flagNames = { advance: 'next step' };

export function drawRamp(box, aside, ramp, nowText) {
  const now = Date.parse(nowText);
  aside.textContent = bakeText(ramp, now);

  const p = plot(box, { left: 48, top: 36 });
  const y = p.y(0, 10000);
  for (const share of [0, 2500, 5000, 7500, 10000]) {
    gridline(p, y(share), share % 5000 ? '' : percent(share));
  }
  if (!ramp.began) return p.show();

  const began = Date.parse(ramp.began);
  const until = ramp.ended ? Date.parse(ramp.ended) : now;
  const points = ramp.points.map(point => ({ at: Date.parse(point.at), share: point.share }));
  const share = points.at(-1).share;
  const rollback = ramp.marks.find(mark => mark.kind === 'rollback');
  const ghost = ramp.ended || rollback ? [] : planned(ramp, share, now);
  const end = Math.max(until, ghost.length ? ghost.at(-1).at : 0, began + 1000);
  const x = p.x(began, end + (end - began) * 0.02);
  ticks(p, x, began, end);

  p.root.classList.add(colour(ramp.release));
  if (ghost.length) {
    const d = steps([{ at: now, share }, ...ghost], ghost.at(-1).at, x, y);
    p.add('path', { d, class: 'ghost' });
  }

  const pauses = ramp.pauses.map(
    pause => [x(Date.parse(pause.from)), x(pause.to ? Date.parse(pause.to) : until)]);
  for (const [from, to] of pauses) shade(p, from, to);

  curve(p, points, until, rollback, x, y);
  marks(p, ramp.marks, pauses, points, x, y);
  if (!ramp.ended) head(p, x(until), y(share), share, rollback);
  p.show();
}

function bakeText(ramp, now) {
  if (!ramp.wait) return '';
  if (ramp.wait.stopped) return ramp.wait.stopped;
  const left = (Date.parse(ramp.wait.until) - now) / 1000;
  return left > 0 ? `next check in ${seconds(Math.ceil(left))}` : 'checking';
}

// planned lists the steps to come, provided that each of them is healthy.
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

const shareAt = (points, at) => points.filter(point => point.at <= at).at(-1)?.share ?? 0;

function curve(p, points, until, rollback, x, y) {
  const line = steps(points, until, x, y);
  p.add('path', { d: `${line}V${y(0)}H${x(points[0].at)}Z`, class: 'area' });
  p.add('path', { d: line, class: 'curve' });
  if (!rollback) return;

  const at = Date.parse(rollback.at);
  const before = points.filter(point => point.at < at).at(-1)?.share ?? 0;
  p.add('path', { d: `M${x(at)} ${y(before)}V${y(0)}H${x(until)}`, class: 'curve bad' });
}

function marks(p, list, pauses, points, x, y) {
  const taken = [];
  for (const kind of flags) {
    for (const mark of list.filter(m => m.kind === kind)) {
      flag(p, x(Date.parse(mark.at)), mark, taken);
    }
  }
  for (const [from, to] of pauses) note(p, (from + to) / 2, 'paused', taken);

  for (const mark of list.filter(m => verdicts.includes(m.kind))) {
    const at = Date.parse(mark.at);
    verdict(p, x(at), y(shareAt(points, at - 1)), mark);
  }
}

// head marks the end of the curve of a release that is under way.
function head(p, x, y, share, rollback) {
  p.add('circle', { cx: x, cy: y, r: 5, class: `head${rollback ? ' bad' : ''}` });

  const edge = x > p.frame.right - 40;
  p.add('text', {
    x: x + (edge ? 4 : 8),
    y: y + (share > 9000 ? 22 : -10),
    class: 'head-label',
    'text-anchor': edge ? 'end' : 'start',
  }, percent(share));
}

function steps(points, until, x, y) {
  let d = `M${x(points[0].at).toFixed(1)} ${y(points[0].share).toFixed(1)}`;
  for (const point of points.slice(1)) {
    d += `H${x(point.at).toFixed(1)}V${y(point.share).toFixed(1)}`;
  }
  return `${d}H${x(until).toFixed(1)}`;
}

function ticks(p, x, began, end) {
  const span = (end - began) / 1000;
  const step = nice(span, Math.max(3, (p.frame.right - p.frame.left) / 90));
  for (let s = 0; s <= span; s += step) {
    p.add('text', {
      x: x(began + s * 1000),
      y: p.frame.bottom + 18,
      class: 'tick',
      'text-anchor': s ? 'middle' : 'start',
    }, seconds(s));
  }
}

function verdict(p, x, y, mark) {
  const dot = p.add('circle', { cx: x, cy: y, r: 4.5, class: `verdict ${mark.kind}` });
  dot.append(title(mark.text));
}

// shade marks the time for which the operator paused the ramp.
function shade(p, from, to) {
  const { top, bottom } = p.frame;
  const size = { width: Math.max(2, to - from), height: bottom - top };
  p.add('rect', { x: from, y: top, ...size, class: 'pause' }).append(title('paused'));
}

// flag writes a word at the top: to the right or the left of its staff, in one of two rows, where
// it covers no other word.
function flag(p, x, mark, taken) {
  const bad = mark.kind === 'alarm' || mark.kind === 'rollback' ? ' bad' : '';
  const word = flagNames[mark.kind] || mark.kind;
  const width = wordWidth(word);
  const places = [14, 29].flatMap(y => [
    { y, from: x, to: x + width, anchor: 'start' },
    { y, from: x - width, to: x, anchor: 'end' },
  ]);
  const place = places.find(place => free(p, place, taken));

  const top = place ? place.y - 6 : p.frame.top;
  const staff = p.add('path', { d: `M${x} ${top}V${p.frame.bottom}`, class: `staff${bad}` });
  staff.append(title(mark.text));
  if (!place) return;

  taken.push(place);
  p.add('text', {
    x: place.anchor === 'start' ? x + 5 : x - 5,
    y: place.y,
    class: `flag${bad}`,
    'text-anchor': place.anchor,
  }, word);
}

// note writes a word above the plot, if the place is free.
function note(p, x, word, taken) {
  const place = { y: 29, from: x - wordWidth(word) / 2, to: x + wordWidth(word) / 2 };
  if (!free(p, place, taken)) return;

  taken.push(place);
  p.add('text', { x, y: place.y, class: 'flag', 'text-anchor': 'middle' }, word);
}

const wordWidth = word => word.length * 7 + 10;

const free = (p, { y, from, to }, taken) =>
  to < p.frame.right + 14 && from > p.frame.left
  && !taken.some(t => t.y === y && from < t.to && to > t.from);

function title(text) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', 'title');
  node.textContent = text;
  return node;
}
