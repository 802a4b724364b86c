"""Makes assets.c: what a report carries inside it (style, chart script, Vega), deflated, as C arrays.

    bundle.py VEGA OUT.c STYLE.css CHARTS.js…

VEGA is a vega.min.js, "none" (reports then have tables but no charts) or "auto": the first of the places below. Debian
ships Vega as modules, UMD files that ask for each other with require(); those that charts need are put into one file with
a short require() of its own. npm ships one file.
"""
import pathlib
import re
import sys
import zlib

# What a chart needs of Vega; everything these ask for is found by following their require() calls.
ROOTS = ["vega-util", "vega-view", "vega-parser", "vega-dataflow", "vega-transforms", "vega-view-transforms",
         "vega-encode", "vega-geo"]
WHOLE = ["/usr/share/javascript/vega/vega.min.js", "/usr/lib/node_modules/vega/build/vega.min.js",
         "/usr/local/lib/node_modules/vega/build/vega.min.js", "/opt/homebrew/lib/node_modules/vega/build/vega.min.js"]
EMPTY = ["d3-geo-projection"]  # maps of the earth: no chart here needs one
MODULES = ["/usr/share/javascript/vega/{0}.min.js"]
NOTICES = ["/usr/share/doc/libjs-vega/copyright", "/usr/share/doc/node-vega/copyright"]

HEAD = "var vega=function(){var have={},made={};function require(name){" \
       "if(!made[name]){var module=made[name]={exports:{}};have[name](module.exports,require,module)}" \
       "return made[name].exports}\n"
# vega.js itself, in short: the modules' names in one object, and their transforms where the parser looks for them.
TAIL = "var all={};%s.forEach(function(name){Object.assign(all,require(name))});\n" \
       "all.transforms=Object.assign(require('vega-dataflow').transforms,require('vega-transforms')," \
       "require('vega-view-transforms'),require('vega-encode'),require('vega-geo'));return all}();\n" % ROOTS


ALIASES = {"vega-selections": "vega-selection"}  # where the file is not called as the module is


def find(patterns, name=""):
    name = ALIASES.get(name, name)
    paths = [pathlib.Path(p.format(name)) for p in patterns]
    return next((p for p in paths if p.is_file()), None)


def read(path):
    """Without its sourceMappingURL, which points nowhere from inside a report."""
    return re.sub(r"^//# sourceMappingURL=.*$", "", path.read_text(encoding="utf-8"), flags=re.M).strip() + "\n"


def asked_for(text):
    return re.findall(r'require\("([^"]+)"\)', text[:4000].split("define.amd")[0])


def modules():
    """The modules that ROOTS need, as one script; None where one is missing."""
    found, waiting = {}, list(ROOTS)
    while waiting:
        name = waiting.pop(0)
        if name in found:
            continue
        if name in EMPTY:
            found[name] = ""
            continue
        path = find(MODULES, name)
        if not path:
            print(f"bundle: Vega's module {name} is not installed: reports will have no charts", file=sys.stderr)
            return None
        found[name] = read(path)
        waiting += asked_for(found[name])
    parts = [f"have['{name}']=function(exports,require,module){{{text}}};\n" for name, text in found.items()]
    return HEAD + "".join(parts) + TAIL


def vega(choice):
    if choice == "none":
        return ""
    if choice != "auto":
        return read(pathlib.Path(choice))
    whole = find(WHOLE)
    text = read(whole) if whole else modules()
    if not text:
        return ""
    notice = find(NOTICES)
    return (f"/*\n{notice.read_text(encoding='utf-8').replace('*/', '* /')}*/\n" if notice and not whole else "") + text


def array(name, text):
    raw = text.replace("</script", "<\\/script").encode()
    packed = zlib.compress(raw, 9)
    rows = [",".join(map(str, packed[i:i + 32])) for i in range(0, len(packed), 32)]
    return (f"static const unsigned char {name}_bytes[] = {{\n" + ",\n".join(rows) + "};\n"
            f"const tc_asset tc_asset_{name} = {{{name}_bytes, sizeof {name}_bytes, {len(raw)}}};\n")


def main(choice, out, style, *scripts):
    text = "/* Made by bundle.py. */\n#include \"report/asset.h\"\n"
    text += array("style", pathlib.Path(style).read_text(encoding="utf-8"))
    text += array("charts", "".join(pathlib.Path(s).read_text(encoding="utf-8") for s in scripts))
    text += array("vega", vega(choice))
    pathlib.Path(out).write_text(text, encoding="utf-8")


main(*sys.argv[1:])
