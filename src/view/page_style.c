#include "page_parts.h"

/* In pieces, as a string constant need not be longer than 4095 bytes. */
const char *const page_style[] = {
	":root{--bg:#faf9f6;--card:#fff;--ink:#1e2125;--muted:#666c75;--line:#e5e2db;--soft:#f2f0ea;--accent:#20607a;--ref:#b2642a;"
	"--good:#2b7a4b;--bad:#b5443b;--warn:#9a6410;--none:#9a9fa7;--goodbg:#e7f3ea;--badbg:#fbeae7;--warnbg:#faf1de;"
	"color-scheme:light dark}\n",
	"@media(prefers-color-scheme:dark){:root{--bg:#131518;--card:#1a1d21;--ink:#e7e5e0;--muted:#9aa0a9;"
	"--line:#2d3137;--soft:#22262b;--accent:#7fb9d2;--ref:#e0a36b;--good:#74c694;--bad:#ec8b80;--warn:#e0b263;--none:#6d737c;"
	"--goodbg:#1b2c22;--badbg:#33201e;--warnbg:#322a19}}\n",
	"*{box-sizing:border-box}html{scroll-behavior:smooth}\n",
	"body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,"
	"'Helvetica Neue',Arial,sans-serif}\n",
	"main{max-width:1080px;margin:0 auto;padding:40px 24px 80px}\n",
	"h1{font-size:30px;line-height:1.2;margin:0 0 4px;letter-spacing:-.01em}h2{font-size:21px;margin:48px 0 14px}\n",
	"h3{font-size:18px;margin:34px 0 6px}h4{font-size:15px;margin:0}p{margin:6px 0}a{color:var(--accent)}\n",
	".muted{color:var(--muted)}.small{font-size:13.5px}code,pre,.mono{font-family:ui-monospace,SFMono-Regular,Menlo,"
	"Consolas,'Liberation Mono',monospace;font-size:13px}\n",
	".chips{display:flex;flex-wrap:wrap;gap:8px;margin:14px 0 0;padding:0;list-style:none}\n",
	".chips li{background:var(--soft);border:1px solid var(--line);border-radius:999px;padding:2px 12px;"
	"font-size:13.5px}.chips b{font-weight:600}\n",
	".cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:14px;margin:26px 0}\n",
	".card,.panel,.attempt{background:var(--card);border:1px solid var(--line);border-radius:12px}\n",
	".card{padding:16px 18px}.card b{display:block;font-size:27px;line-height:1.2;letter-spacing:-.02em;"
	"font-variant-numeric:tabular-nums}.card span{color:var(--muted);font-size:13.5px}\n",
	".panel{padding:18px 20px;overflow-x:auto}\n",
	"table{border-collapse:collapse;width:100%;font-size:14.5px;font-variant-numeric:tabular-nums}\n",
	"th{font-weight:600;text-align:left;color:var(--muted);font-size:13px;padding:6px 14px 6px 0;"
	"border-bottom:1px solid var(--line)}td{padding:8px 14px 8px 0;border-bottom:1px solid var(--line);"
	"vertical-align:top}tr:last-child td{border-bottom:0}.num{text-align:right}\n",
	".badge{display:inline-block;border-radius:6px;padding:1px 8px;font-size:12.5px;background:var(--soft);"
	"color:var(--muted);white-space:nowrap}.badge.pass{background:var(--goodbg);color:var(--good)}"
	".badge.fail{background:var(--badbg);color:var(--bad)}.badge.undecided{background:var(--warnbg);"
	"color:var(--warn)}\n",
	".chart{width:100%;max-width:760px;display:block}.grid{stroke:var(--line)}.tick{fill:var(--muted);"
	"font-size:12px}.line{fill:none;stroke-width:2.2;stroke-linejoin:round}.line.exec{stroke:var(--good)}"
	".line.call{stroke:var(--accent);stroke-dasharray:5 4}circle.exec{fill:var(--good)}circle.call{"
	"fill:var(--accent)}.label{font-size:13px;font-weight:600}.label.exec{fill:var(--good)}"
	".label.call{fill:var(--accent)}\n",
	".rows{display:grid;grid-template-columns:max-content 1fr;gap:6px 16px;align-items:center;font-size:14px}\n",
	".cells{display:flex;flex-wrap:wrap;gap:4px}.cells a{width:22px;height:22px;border-radius:5px;display:block;"
	"background:var(--none);color:var(--card);font-size:11px;line-height:22px;text-align:center;"
	"text-decoration:none;font-variant-numeric:tabular-nums}.cells a:hover{outline:2px solid var(--accent);"
	"outline-offset:1px}.cells .pass{background:var(--good)}.cells .fail{background:var(--bad)}"
	".cells .undecided{background:var(--warn)}.cells .win{outline:2px solid var(--ink);outline-offset:1px}\n",
	".legend{display:flex;flex-wrap:wrap;gap:16px;margin-top:14px;font-size:13px;color:var(--muted)}"
	".legend i{display:inline-block;width:11px;height:11px;border-radius:3px;margin-right:6px;"
	"vertical-align:-1px}\n",
	".story{border-left:2px solid var(--line);margin:14px 0 0 6px;padding-left:22px}\n",
	".attempt{padding:14px 18px;margin:0 0 14px;position:relative;border-left-width:4px}\n",
	".attempt.pass{border-left-color:var(--good)}.attempt.fail{border-left-color:var(--bad)}"
	".attempt.undecided{border-left-color:var(--warn)}.attempt.none{border-left-color:var(--none)}"
	".attempt:target{box-shadow:0 0 0 3px var(--accent)}\n",
	".attempt header{display:flex;flex-wrap:wrap;gap:8px;align-items:center}.grow{flex:1}\n",
	".strategy{font-size:15px}.message,.prose{white-space:pre-wrap;overflow-wrap:anywhere}"
	".message{background:var(--badbg);border-radius:8px;padding:8px 12px;font-size:14px}"
	".undecided .message{background:var(--warnbg)}.prose{font-size:14.5px}\n",
	"details{margin-top:8px}summary{cursor:pointer;color:var(--accent);font-size:14px}"
	"summary h3{display:inline;color:var(--ink)}\n",
	"pre{margin:8px 0 0;padding:12px 14px;background:var(--soft);border-radius:8px;overflow-x:auto;line-height:1.5;"
	"tab-size:4}pre i{font-style:normal}pre .c{color:var(--muted)}pre .s{color:var(--good)}"
	"pre .k{color:var(--accent)}pre .n{color:var(--warn)}\n",
	".diff span{display:block;min-height:1.5em}.diff .add{background:var(--goodbg)}.diff .del{background:var(--badbg)}"
	".diff .gap{color:var(--muted);user-select:none}\n",
	".near{width:100%;max-width:360px;display:block;margin-top:6px}rect.near{fill:var(--good)}rect.far{fill:var(--accent)}\n",
	".map{width:132px;max-height:132px;border:1px solid var(--line);border-radius:4px;display:block}"
	".map .ok{fill:var(--soft)}.map .off{fill:var(--bad)}.cases td{font-size:13.5px}\n",
	".basis{margin:14px 0 0;font-size:14.5px}.basis b{font-weight:600}h5{font-size:13px;margin:22px 0 4px;"
	"font-weight:600}\n",
	".wide{max-width:none}.one{stroke:var(--ink);stroke-width:1.4}.label{fill:var(--ink)}.forest .label{"
	"font-weight:400;fill:var(--muted)}.forest a .label{fill:var(--accent)}.strong{font-weight:600 !important}"
	".value{font-size:13px;fill:var(--ink);font-variant-numeric:tabular-nums}.range{fill:var(--muted);"
	"font-weight:400}.value.none{fill:var(--muted)}\n",
	".band{fill:var(--none);opacity:.22}.whisker{stroke-width:2.4;stroke-linecap:round}.whisker.faster{"
	"stroke:var(--good)}.whisker.slower{stroke:var(--bad)}.whisker.same{stroke:var(--none)}circle.faster{"
	"fill:var(--good)}circle.slower{fill:var(--bad)}circle.same{fill:var(--card);stroke:var(--none);"
	"stroke-width:2}\n",
	".dots{fill:none;stroke-width:3.4;stroke-linecap:round;stroke-opacity:.62}.dots.ref{stroke:var(--ref)}"
	".dots.cand{stroke:var(--accent)}.over.ref{fill:var(--ref)}.over.cand{fill:var(--accent)}"
	".median{stroke-width:1.2;stroke-dasharray:2 3}.median.ref{stroke:var(--ref)}.median.cand{"
	"stroke:var(--accent)}.label.ref{fill:var(--ref)}.label.cand{fill:var(--accent)}.clock{fill:none;"
	"stroke:var(--muted);stroke-width:1.3}.throttle{fill:var(--bad)}\n",
	"footer{margin-top:60px;color:var(--muted);font-size:13px}\n",
	"@media print{details{display:block}main{max-width:none}}\n",
	NULL,
};
