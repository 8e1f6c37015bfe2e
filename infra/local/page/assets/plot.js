// A plot is an SVG as large as its box. Curves are drawn into its frame.
import { svg } from './dom.js';

export function plot(box, { left = 40, right = 14, top = 16, bottom = 24 } = {}) {
  const width = Math.max(220, box.clientWidth);
  const height = Math.max(140, box.clientHeight);
  const root = svg('svg', { viewBox: `0 0 ${width} ${height}`, width, height, role: 'img' });
  const frame = { left, right: width - right, top, bottom: height - bottom };
  return {
    root, frame,
    x: scale(frame.left, frame.right),
    y: scale(frame.bottom, frame.top),
    add: (tag, attributes, ...children) => root.appendChild(svg(tag, attributes, ...children)),
    show: () => box.replaceChildren(root),
  };
}

const scale = (from, to) => (min, max) => value =>
  from + (to - from) * (max === min ? 0 : (value - min) / (max - min));

export function gridline(p, y, label) {
  p.add('path', { d: `M${p.frame.left} ${y}H${p.frame.right}`, class: 'grid' });
  p.add('text', { x: p.frame.left - 8, y: y + 4, class: 'tick', 'text-anchor': 'end' }, label);
}

// nice is the first round step that gives at most count ticks.
export function nice(span, count) {
  for (let unit = 1; ; unit *= 10) {
    for (const step of [1, 2, 5]) {
      if (span / (step * unit) <= count) return step * unit;
    }
  }
}
