"""The report's style sheet: two colour sets, chosen by the reader's system."""

CSS = """
:root {
  color-scheme: light dark;
  --page: #f7f7f5; --card: #ffffff; --ink: #1c1c1a; --soft: #5c5b57; --line: #e3e2dd; --axis: #b5b4ae;
  --blue: #2a78d6; --orange: #d9591f; --tint: #eef4fc;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #141413; --card: #1e1e1c; --ink: #f2f1ec; --soft: #b3b1a8; --line: #35342f; --axis: #5c5b54;
    --blue: #4a93ea; --orange: #ea7a45; --tint: #1c2a3c;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 32px 20px 60px; }
h1 { font-size: 26px; line-height: 1.25; margin: 0 0 4px; }
h2 { font-size: 17px; margin: 0 0 12px; }
p.sub, p.foot { color: var(--soft); margin: 0 0 22px; }
p.note { color: var(--soft); margin: 10px 0 0; font-size: 13.5px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; }
.tiles { margin-bottom: 16px; }
.tile, section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.tile { padding: 14px 16px; }
.tile b { display: block; font-size: 25px; font-weight: 600; line-height: 1.2; }
.tile span { color: var(--soft); font-size: 13px; }
section { padding: 18px 20px; margin-bottom: 16px; overflow-x: auto; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(400px, 100%), 1fr)); gap: 16px; }
.pair { margin-bottom: 16px; }
.stack { display: flex; flex-direction: column; gap: 16px; min-width: 0; }
 .pair section { min-width: 0; margin: 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 5px 10px 5px 0; overflow-wrap: break-word; }
th, td { border-bottom: 1px solid var(--line); vertical-align: top; }
tr:last-child td { border-bottom: 0; }
th { color: var(--soft); font-weight: 500; font-size: 13px; }
th.n, td.n { text-align: right; white-space: nowrap; }
tr.chief td { background: var(--tint); font-weight: 600; }
td.key { color: var(--soft); width: 38%; }
ul { margin: 0; padding-left: 20px; }
details summary { cursor: pointer; color: var(--soft); }
svg { display: block; width: 100%; height: auto; font-family: inherit; }
svg .grid { stroke: var(--line); } svg .axis { stroke: var(--axis); }
svg .mark { stroke: var(--axis); stroke-dasharray: 4 4; }
svg .tick { fill: var(--soft); font-size: 12px; }
svg .name { fill: var(--ink); font-size: 13px; font-weight: 500; }
svg .end { font-size: 12.5px; font-weight: 600; }
svg .line { fill: none; stroke-width: 2.2; stroke-linejoin: round; }
svg .line.training { stroke: var(--blue); } svg .line.validation { stroke: var(--orange); }
svg .end.training, svg .dot.training { fill: var(--blue); }
svg .end.validation, svg .dot.validation { fill: var(--orange); }
svg .hit { fill: transparent; }
svg .point { fill: var(--blue); fill-opacity: .38; } svg .bar { fill: var(--blue); }
svg .cell { fill: var(--page); } svg .right { fill: var(--blue); } svg .wrong { fill: var(--orange); }
svg .count { fill: var(--ink); } svg .count.strong { fill: #ffffff; font-weight: 600; }
@media print { body { background: #fff; } section, .tile { break-inside: avoid; } }
"""
