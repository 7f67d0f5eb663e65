/** Of a report's page. The colours are the lab's. */
export const style: string = `
:root{color-scheme:light dark;--page:#f6f5f2;--card:#fff;--text:#1b1c1f;--muted:#5d5f66;--line:#e5e3dd;--sse:#a84b00;--ws:#1d55c4;--other:#5d5f66;--good:#17703a;--good-soft:#17703a14;--mono:ui-monospace,"SF Mono","Cascadia Mono",Menlo,Consolas,"Liberation Mono",monospace;font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;-webkit-text-size-adjust:100%}
@media (prefers-color-scheme:dark){:root{--page:#121316;--card:#1a1c20;--text:#ecedf0;--muted:#a3a6ae;--line:#2d3037;--sse:#f0a04b;--ws:#82aaff;--other:#a3a6ae;--good:#6fcf97;--good-soft:#6fcf971f}}
*{box-sizing:border-box}
body,h1,h2,h3,p,dl,dd,ol,ul,figure{margin:0;padding:0}
body{max-width:1240px;margin:0 auto;padding:clamp(24px,4vw,56px) clamp(16px,3.2vw,48px) 72px;background:var(--page);color:var(--text);font-variant-numeric:tabular-nums;overflow-wrap:break-word}
h1{font-size:clamp(1.75rem,4.5vw,2.75rem);line-height:1.15;letter-spacing:-.02em;text-wrap:balance}
h2{font-size:1.375rem;line-height:1.25;letter-spacing:-.01em;scroll-margin-top:24px}
h3{font-size:1rem;line-height:1.35}
a{color:var(--ws)}
a:focus-visible,.scroll:focus-visible,summary:focus-visible{outline:2px solid var(--ws);outline-offset:2px;border-radius:4px}
code{font:.9em var(--mono)}
small{font-size:.8125rem;color:var(--muted);font-weight:400}
ul,ol{list-style:none}
.sse{--hue:var(--sse)}.ws{--hue:var(--ws)}.other{--hue:var(--other)}
h1 span{color:var(--hue)}
.eyebrow{font-size:.8125rem;color:var(--muted)}
header{display:grid;gap:20px}
header .eyebrow{margin-bottom:-14px}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(200px,100%),1fr));gap:14px 32px;padding:16px 0;border-block:1px solid var(--line)}
dt{font-size:.8125rem;color:var(--muted)}
dd{font-size:.9375rem;overflow-wrap:anywhere}
figcaption+.lanes .case:first-child{margin-top:4px}
.method{max-width:90ch;font-size:.875rem;color:var(--muted)}
nav ul{display:flex;flex-wrap:wrap;gap:8px}
nav a{display:block;padding:4px 12px;border:1px solid var(--line);border-radius:999px;background:var(--card);color:inherit;font-size:.875rem;text-decoration:none}
nav a:hover{border-color:var(--muted)}
main{display:grid;gap:28px;margin-top:40px}
main>section{min-width:0}
.answers{counter-reset:n;display:grid;grid-template-columns:repeat(auto-fill,minmax(min(330px,100%),1fr));gap:12px;margin-top:14px}
.answers li{counter-increment:n;padding:16px 18px;border:1px solid var(--line);border-radius:12px;background:var(--card)}
.answers h3::before{content:counter(n) " ";color:var(--muted);font-weight:400}
.answers p{margin-top:6px;font-size:.9375rem}
.answers a{white-space:nowrap}
.card{padding:clamp(18px,2.6vw,32px);border:1px solid var(--line);border-radius:16px;background:var(--card)}
.question{margin-top:2px;color:var(--muted)}
.explanation{max-width:72ch;margin-top:14px}
.explanation+.explanation{margin-top:8px}
details{margin-top:20px}
summary{cursor:pointer;font-size:.9375rem;font-weight:600}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(320px,100%),1fr));gap:28px clamp(28px,4vw,56px);margin-top:24px}
.plot{min-width:0}
figcaption{display:flex;flex-wrap:wrap;align-items:baseline;gap:0 8px;padding-bottom:4px;font-size:.9375rem}
.unit,.hint{font-size:.8125rem;color:var(--muted)}
.hint{margin-left:auto}
.lanes{display:grid;grid-template-columns:fit-content(50%) minmax(0,1fr) max-content;align-items:center;column-gap:12px;font-size:.8125rem;line-height:1.3}
.lanes .case{grid-column:1/-1;margin-top:10px;padding-bottom:2px;font-weight:600}
.label{padding:1px 0;color:var(--text)}
.label.control{color:var(--muted)}
.value{text-align:right}
svg{display:block;overflow:visible}
.tick{stroke:var(--line);stroke-width:1}
.stem{stroke:var(--hue);stroke-width:2;opacity:.4}
.range{stroke:var(--hue);stroke-width:9;stroke-linecap:round;opacity:.28}
.dot{fill:var(--hue);stroke:var(--hue);stroke-width:1.5}
.control .dot{fill:var(--card)}
.lane.control{opacity:.75}
.axis text{fill:var(--muted);font-size:11px}
.scroll{margin-top:26px;overflow-x:auto}
table{border-collapse:collapse;min-width:100%;font-size:.875rem;line-height:1.35}
th,td{padding:6px 0 6px 20px;text-align:right;white-space:nowrap;font-weight:400;border-bottom:1px solid var(--line)}
thead th{min-width:7em;max-width:12em;white-space:normal;color:var(--muted);font-size:.8125rem;vertical-align:bottom}
tbody th{position:sticky;left:0;padding-left:0;padding-right:8px;text-align:left;background:var(--card)}
th[scope=row]{padding-left:18px}
th[scope=row]::before{content:"";position:absolute;left:1px;top:calc(50% - 5px);width:10px;height:10px;border:1.5px solid var(--hue);border-radius:50%;background:var(--hue)}
th.control::before{background:none;opacity:.75}
th.control{color:var(--muted)}
th.case{padding-top:16px;font-weight:600}
th.case span{position:sticky;left:0}
.mark{color:var(--good);font-weight:700}
td.best{color:var(--good);font-weight:600}
.notes{margin-top:22px;padding-top:14px;border-top:1px solid var(--line);font-size:.875rem;color:var(--muted)}
.notes h3{font-size:.875rem;font-weight:600}
.notes li{margin-top:4px;max-width:96ch;overflow-wrap:anywhere}
.notes b{font-weight:600}
@media (max-width:520px){th,td{padding-left:14px}tbody th{white-space:normal;min-width:8.5em}}
@media print{body{background:none}.card,.answers li{break-inside:avoid}}
`
