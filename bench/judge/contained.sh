#!/bin/sh
# Whether candidates can be run for real on the GPU that is here, and what comes of it. Prints everything; writes nothing but OUT.
#
#     bench/judge/contained.sh [build/geak] [OUT]     OUT: a folder for the raw results (a temporary one)
#
# 1 the machine   2 does the role start, in the sandbox and without one; if not, which system calls were refused
# 3 the references confirmed and timed end to end   4 the red team's candidates for real   5 honest kernels: how many are
# confirmed, by how many words not   6 how long a confirmation takes   7 nothing is left
set -u
geak=$(realpath "${1:-build/geak}") out=${2:-$(mktemp -d)}
root=$(cd "$(dirname "$0")/../.." && pwd)
export GEAK_SHARE="${GEAK_SHARE:-$root}"
python=${GEAK_PYTHON:-${XDG_DATA_HOME:-$HOME/.local/share}/geak/venv/bin/python}
[ -x "$python" ] || python=python3
export GEAK_PYTHON="$python"
mkdir -p "$out"
cd "$root" || exit 2
title() { printf '\n==== %s\n' "$1"; }

title "1 the machine"
uname -r
nvidia-smi --query-gpu=name,driver_version,compute_mode --format=csv,noheader 2>/dev/null || rocm-smi --showproductname 2>/dev/null | head -5
ls -l /dev/nvidia* /dev/kfd /dev/dri 2>/dev/null | head -20
"$python" -c 'import torch, triton, sys; print("python", sys.version.split()[0], "torch", torch.__version__, "triton", triton.__version__, "device", torch.cuda.is_available() and torch.cuda.get_device_name(0))'
command -v gcc cc clang | head -1 || echo "no C compiler: Triton cannot build the launcher of a kernel"
"$geak" doctor 2>&1 | head -40

words() { # FILE: kind, evidence, what notes say of runs, figures end to end
	"$python" - "$1" <<'EOF'
import json, sys
for r in json.load(open(sys.argv[1]))["results"]:
    v = r["verdict"]
    print(f"{r['task']:16} {v['outcome']} {v['kind']} at {v['stage']}, evidence {r['evidence']}, total {r['ms']['total']:.0f} ms")
    for note in r["notes"] or []:
        if "onfirmed" in note or "contained" in note or "not measured" in note:
            print("   ", note[:1500])
    if v["message"]:
        print("   ", v["message"][:1500])
    for e in r["end_to_end"] or []:
        print(f"    end to end {e['case']}: {e['ms']:.4f} ms a call (events {e['event_ms']:.4f}, host {e['host_ms']:.4f}, geak {e['keeper_ms']:.4f}; {e['calls']} calls)")
EOF
}

title "2 does the role start"
echo "-- in the sandbox"
"$geak" eval tests/exploits/tasks/twice --contained --no-timing --seed 1 --json >"$out/in.json" 2>"$out/in.err"
words "$out/in.json"; tail -3 "$out/in.err"
if ! grep -q '"confirmed: ' "$out/in.json"; then
	bare=$(mktemp -d)
	cp "$geak" "$bare/geak" # without libgeakbox.so beside it there is no sandbox
	echo "-- without one: if this is confirmed, the sandbox keeps something from the driver"
	"$bare/geak" eval tests/exploits/tasks/twice --contained --no-timing --seed 1 --json >"$out/bare.json" 2>"$out/bare.err"
	words "$out/bare.json"; tail -3 "$out/bare.err"
	rm -rf "$bare"
	if command -v strace >/dev/null; then
		echo "-- system calls that were refused in the sandbox (calls, error, first argument)"
		strace -f -qq -o "$out/strace" "$geak" eval tests/exploits/tasks/twice --contained --no-timing --seed 1 --json >/dev/null 2>&1
		grep -E 'EPERM|EACCES|ENOSYS|EROFS' "$out/strace" | sed -E 's/^[0-9]+ +//; s/([a-z_0-9]+)\(([^,)]*,? ?[^,)]*).* = -1 ([A-Z]+).*/\1 \3 \2/' | sort | uniq -c | sort -rn | head -40
		echo "-- device nodes and what was not found of the driver's files"
		grep -E '/dev/(nvidia|kfd|dri)|libcuda|libamdhip|/sys/' "$out/strace" | grep -E '= -1' | sed -E 's/^[0-9]+ +//' | sort | uniq -c | sort -rn | head -30
	fi
fi

title "3 references: confirmed, and end to end"
"$geak" eval starter --contained --end-to-end --seed 1 --json >"$out/starter.json" 2>"$out/starter.err"
words "$out/starter.json"; tail -2 "$out/starter.err"
echo "-- beside the time of the plans alone (median, ms)"
"$python" - "$out/starter.json" <<'EOF'
import json, sys
for r in json.load(open(sys.argv[1]))["results"]:
    plans = {c["case"]: c["detail"] for c in r["cases"] if c["part"] == "perf" and c["detail"]}
    for e in r["end_to_end"] or []:
        d = plans.get(e["case"]) or {}
        alone = next((d[k] for k in ("candidate_ms", "b_ms", "ms") if isinstance(d.get(k), (int, float))), None)
        print(f"{r['task']:16} {e['case']:50} end to end {e['ms']:.4f}   plan {alone if alone is not None else sorted(d)[:12]}")
EOF

title "4 the red team's candidates, for real"
for group in contained capture; do
	"$geak" redteam --group $group --no-timing --json >"$out/redteam-$group.json" 2>"$out/redteam-$group.err"
	"$python" - "$out/redteam-$group.json" <<'EOF'
import json, sys
r = json.load(open(sys.argv[1]))
print("exploits", r["exploits"], "evidence", r["evidence"], "containment", r["containment"], f"{r['seconds']:.0f} s")
for f in r["fixtures"]:
    if f["state"] != "expected":
        print(f"  {f['state']} {f['id']}: {f['stage']} {f['outcome']} {f['kind']}, expected {f['expected']}: {f['message'][:600]}")
EOF
done
tail -1 "$out/redteam-contained.err"

title "5 honest kernels, for real"
"$python" - "$geak" "$out" <<'EOF'
import collections, glob, json, re, subprocess, sys
geak, out = sys.argv[1:]
lines = []
for path in sorted(glob.glob("tests/exploits/honest/*.py")):
    text = open(path).read()
    task = re.search(r"^# task: (\S+)", text, re.M).group(1)
    lines.append(json.dumps({"id": path.split("/")[-1], "task": task, "candidate": text}))
run = subprocess.run([geak, "eval", "tests/exploits/tasks", "-c", "-", "--jsonl", "--contained", "--no-timing"],
                     input="\n".join(lines), capture_output=True, text=True)
open(out + "/honest.jsonl", "w").write(run.stdout)
count = collections.Counter()
for line in run.stdout.splitlines():
    v = json.loads(line)
    notes = [n for n in v.get("notes") or [] if "onfirmed" in n or n.startswith("judged contained")]
    what = v["verdict"]["kind"] if v["verdict"]["outcome"] != "pass" else notes[0].split(":")[0][:40] if notes else "no word"
    count[what] += 1
    if v["verdict"]["outcome"] != "pass" or not notes or notes[0].startswith("not"):
        print(f"  {v['id']}: {v['verdict']['outcome']} {v['verdict']['kind']}: {(v['verdict']['message'] or (notes or ['-'])[0])[:900]}")
print(dict(count))
EOF

title "6 how long a confirmation takes"
for with in "" "--contained"; do
	start=$(date +%s%N)
	# shellcheck disable=SC2086
	"$geak" eval starter $with --no-timing --seed 3 --json >"$out/time.json" 2>/dev/null
	echo "starter ${with:-without}: $((($(date +%s%N) - start) / 1000000)) ms"
done

title "7 nothing is left"
sleep 1
ps -eo pid,args | grep '[g]eak_worker' || echo "no process"
nvidia-smi --query-compute-apps=pid,process_name,used_memory --format=csv,noheader 2>/dev/null
echo "raw results: $out"
