// Requests per second, one release stacked on the other, and the failed requests in red.
import { chip, colour, element } from './dom.js';
import { gridline, nice, plot } from './plot.js';

export function drawTraffic(box, legend, series) {
  legend.replaceChildren(...series.filter(s => recent(s.requests) > 0).map(entry));

  const p = plot(box, { left: 46, top: 12 });
  const length = Math.max(2, ...series.map(s => s.requests.length));
  const sum = key => Array.from({ length },
    (_, i) => series.reduce((total, s) => total + (s[key][i] || 0), 0));
  const totals = sum('requests');
  const step = nice(Math.max(4, ...totals), 4);
  const max = step * Math.ceil(Math.max(4, ...totals) / step);
  const x = p.x(0, length - 1);
  const y = p.y(0, max);

  for (let n = 0; n <= max; n += step) gridline(p, y(n), n ? `${n}/s` : '0');
  for (let s = 0; s < length; s += 30) {
    const anchor = s ? 'middle' : 'end';
    const at = { x: x(length - 1 - s), y: p.frame.bottom + 18 };
    p.add('text', { ...at, class: 'tick', 'text-anchor': anchor }, s ? `−${s}\u202fs` : 'now');
  }

  const zero = new Array(length).fill(0);
  let below = zero;
  for (const s of series) {
    const above = below.map((n, i) => n + (s.requests[i] || 0));
    const rim = above.map((n, i) => near(s.requests, i) ? n : null);
    p.add('path', { d: band(below, above, x, y), class: `band ${colour(s.release)}` });
    p.add('path', { d: trace(rim, x, y), class: `rim ${colour(s.release)}` });
    below = above;
  }

  const errors = sum('errors');
  if (errors.some(n => n)) {
    p.add('path', { d: band(zero, errors, x, y), class: 'errors' });
  }
  p.show();
}

// near tells whether a release had a request in this second or in one beside it. Its rim is drawn
// only there.
const near = (requests, i) => requests[i - 1] || requests[i] || requests[i + 1];

// trace draws a line through the values and leaves a gap for null.
function trace(values, x, y) {
  let pen = 'M';
  return values.map((n, i) => {
    const step = n === null ? '' : `${pen}${x(i).toFixed(1)} ${y(n).toFixed(1)}`;
    pen = n === null ? 'M' : 'L';
    return step;
  }).join('');
}

function band(below, above, x, y) {
  let d = trace(above, x, y);
  for (let i = below.length - 1; i >= 0; i--) {
    d += `L${x(i).toFixed(1)} ${y(below[i]).toFixed(1)}`;
  }
  return `${d}Z`;
}

// recent is the mean of the last five seconds.
const recent = values => values.slice(-5).reduce((a, b) => a + b, 0) / 5;

function entry(s) {
  const requests = recent(s.requests);
  const failing = recent(s.errors) / requests;
  const rate = requests < 10 ? requests.toFixed(1) : Math.round(requests);

  const node = element('span', 'entry', chip(s.release), element('b', '', `${rate}/s`));
  if (failing > 0) {
    const share = Math.max(1, Math.round(failing * 100));
    node.append(element('em', '', `${share}\u202f% fail`));
  }
  return node;
}
