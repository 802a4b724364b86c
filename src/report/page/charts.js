/* charts.js — turns the numbers that the page carries into Vega charts.
 *
 * A chart is a figure of the class "chart" with a .plot and a script of the type application/json:
 *
 *     {"kind": "lines" | "path" | "dots" | "contour" | "surface", "x": title, "y": title, "percent": bool, …,
 *      "series": [{"name", "slot", "points": [{"x", "y", "low", "high"}]}]}
 *
 * `slot` picks colour, dash and marker, the same for a method in every chart; −1 is a victim that is not poisoned, −2 the surrogate. Colours are
 * the page's CSS variables, so that a drawing follows the reader's theme and the printer without being made again. */
(() => {
    "use strict";
    const SHAPES = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left"];
    const DASHES = [[], [7, 3], [2, 2], [9, 3, 2, 3], [5, 2], [1, 3], [12, 4], [3, 1]];
    const RAMP = ["#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"];
    const colour = (slot) => (slot < 0 ? "var(--none)" : `var(--s${slot % 8})`);
    const shape = (slot) => (slot < 0 ? "stroke" : SHAPES[slot % 8]);
    const dash = (slot) => (slot < -1 ? [1, 3] : slot < 0 ? [4, 4] : DASHES[slot % 8]);
    const CONFIG = {
        font: "system-ui, sans-serif",
        axis: {labelColor: "var(--soft)", titleColor: "var(--soft)", domainColor: "var(--line)", tickColor: "var(--line)",
               gridColor: "var(--line)", titleFontWeight: 400, titleFontSize: 12, labelFontSize: 11.5, labelFlush: false},
    };

    /* ---- lines and points ---- */

    const rows = (chart) => chart.series.flatMap((s, index) => s.points.map((p) => ({
        ...p, index, series: s.name, colour: colour(s.slot), shape: shape(s.slot), dash: dash(s.slot),
        low: p.low ?? p.y, high: p.high ?? p.y})));
    const distinct = (values) => [...new Set(values)].sort((a, b) => a - b);
    const spread = (xs) => xs.length > 2 && xs[0] > 0 && xs[xs.length - 1] / xs[0] >= 10;
    const number = (v) => (Math.abs(v) >= 1000 || v === 0 ? String(Math.round(v)) : String(Number(v.toPrecision(3))));
    const shown = (chart, v) => (chart.percent ? number(100 * v) + " %" : number(v));

    function label(chart, row) {
        const range = row.low < row.high ? ` (${shown(chart, row.low)} to ${shown(chart, row.high)})` : "";
        return `${row.series}, ${chart.x} ${number(row.x)}: ${shown(chart, row.y)}${range}`;
    }

    /* Nothing below 0 or above 1 for a share, and no empty band that only the scale's padding explains. */
    function domain(chart, values) {
        const least = Math.min(...values.map((r) => r.low)), most = Math.max(...values.map((r) => r.high));
        if (chart.percent && chart.zero) return [0, Math.min(1, Math.max(0.1, most * 1.05))];
        const room = (most - least) * 0.06 || Math.abs(most) * 0.1 || 1;
        return chart.percent ? [Math.max(0, least - room), Math.min(1, most + room)]
                             : [least >= 0 ? Math.max(0, least - room) : least - room, most + room];
    }

    const axis = (chart, side, extra) => ({
        orient: side === "x" ? "bottom" : "left", scale: side, title: chart[side], grid: side === "y", tickSize: 4,
        ...(side === "y" && chart.percent ? {format: ".0%"} : {}), ...extra});

    function plane(chart, width, points) {
        const xs = distinct(points.map((r) => r.x)), log = chart.log ?? spread(xs);
        const few = xs.length <= 7 && chart.kind === "lines";
        return {
            width, height: Math.round(Math.min(260, Math.max(170, width * 0.6))), padding: 4, config: CONFIG,
            autosize: {type: "fit", contains: "padding"},
            data: [{name: "points", values: points}],
            scales: [
                {name: "x", type: log ? "log" : "linear", domain: [xs[0], xs[xs.length - 1]], range: "width", zero: false,
                 padding: few ? 16 : 4, nice: chart.kind === "path"},
                {name: "y", type: "linear", domain: domain(chart, points), range: "height", zero: false, nice: true, clamp: true}],
            axes: [axis(chart, "x", few ? {values: xs, labelOverlap: "greedy", format: "~g"} : {tickCount: Math.max(3, width / 70), format: "~g"}),
                   axis(chart, "y", {tickCount: 5})],
        };
    }

    function lines(chart, width) {
        const points = rows(chart), spec = plane(chart, width, points);
        const dense = points.length > 12 * chart.series.length;
        const at = {x: {scale: "x", field: "x", offset: {field: "beside"}}}, stroke = {stroke: {field: "colour"}};
        const ends = {y: {scale: "y", field: "low"}, y2: {scale: "y", field: "high"}};
        const band = {type: "area", from: {data: "one"}, encode: {enter: {...at, ...ends, fill: {field: "colour"}, fillOpacity: {value: 0.16}}}};
        const bars = {type: "rule", from: {data: "one"}, encode: {enter: {...at, ...ends, ...stroke, strokeOpacity: {value: 0.6}}}};
        const line = {type: "line", from: {data: "one"}, encode: {enter: {...at, y: {scale: "y", field: "y"}, ...stroke,
            strokeWidth: {value: 2}, strokeDash: {field: "dash"}}}};
        const marks = {type: "symbol", from: {data: "one"}, encode: {enter: {...at, y: {scale: "y", field: "y"}, ...stroke,
            fill: {field: "colour"}, shape: {field: "shape"}, size: {value: 46}, tooltip: {signal: "datum.label"}}}};
        const apart = chart.kind === "lines" && !dense ? 4 : 0; /* intervals at the same x stand beside each other */
        points.forEach((row) => {
            row.label = label(chart, row);
            row.beside = (row.index - (chart.series.length - 1) / 2) * apart;
        });
        spec.marks = [{type: "group", from: {facet: {name: "one", data: "points", groupby: "series"}},
                       marks: [dense ? band : bars, ...(chart.join === false ? [] : [line]), ...(dense ? [] : [marks])]}];
        return spec;
    }

    /* One interval a row, its name above it: readable however narrow the page. */
    function dots(chart, width) {
        const points = rows(chart).map((row, i) => ({...row, row: i, label: `${row.series}: ${shown(chart, row.y)}`}));
        const most = Math.max(...points.map((r) => r.high));
        const share = {scale: "share", field: "y"}, row = (band) => ({scale: "row", field: "row", band});
        return {
            width, height: 34 * points.length + 8, padding: 4, config: CONFIG, autosize: {type: "fit-x", contains: "padding"},
            data: [{name: "points", values: points}],
            scales: [{name: "share", type: "linear", domain: [0, chart.percent ? Math.min(1, Math.max(0.1, most)) : most], range: "width", nice: true},
                     {name: "row", type: "band", domain: points.map((r) => r.row), range: "height"}],
            axes: [{orient: "bottom", scale: "share", title: chart.y, grid: true, format: chart.percent ? ".0%" : "~s", tickCount: Math.max(3, width / 80)}],
            marks: [
                {type: "text", from: {data: "points"}, encode: {enter: {x: {value: 2}, y: row(0.3), baseline: {value: "middle"}, text: {field: "series"},
                    fill: {value: "var(--ink)"}, fontSize: {value: 12}, limit: {value: width - 10}}}},
                {type: "rule", from: {data: "points"}, encode: {enter: {x: {scale: "share", field: "low"}, x2: {scale: "share", field: "high"}, y: row(0.76),
                    stroke: {field: "colour"}, strokeWidth: {value: 2.5}}}},
                {type: "symbol", from: {data: "points"}, encode: {enter: {x: share, y: row(0.76), fill: {field: "colour"}, shape: {field: "shape"},
                    stroke: {field: "colour"}, size: {value: 62}, tooltip: {field: "label"}}}}],
        };
    }

    /* ---- loss landscapes ---- */

    const level = (chart, v) => Math.max(0, Math.min(RAMP.length - 1, Math.floor((v - chart.least) / (chart.most - chart.least || 1) * RAMP.length)));

    /* Contours are traced between the middles of grid squares, so the grid is given a margin that repeats its edge, and is
       moved until its outermost values lie on the frame. The second direction points up. */
    function padded(chart) {
        const n = chart.n, inside = (i) => Math.max(0, Math.min(n - 1, i - 1)), values = [];
        for (let i = 0; i < n + 2; i++)
            for (let j = 0; j < n + 2; j++) values.push(chart.value[(n - 1 - inside(i)) * n + inside(j)]);
        return {width: n + 2, height: n + 2, values};
    }

    function contour(chart, width) {
        const side = Math.min(width - 50, 320), n = chart.n, step = side / (n - 1);
        const thresholds = RAMP.map((c, i) => chart.least + (chart.most - chart.least) * i / RAMP.length);
        const square = (x, y) => ({x: {value: x}, y: {value: y}});
        return {
            width: side, height: side, padding: 5, config: CONFIG,
            data: [{name: "grid", values: [padded(chart)]},
                   {name: "levels", source: "grid", transform: [{type: "isocontour", thresholds, scale: {expr: String(step)}, translate: [-1.5 * step, -1.5 * step], smooth: true, as: "contour"}]}],
            scales: [{name: "x", domain: [-chart.extent, chart.extent], range: "width"},
                     {name: "y", domain: [-chart.extent, chart.extent], range: "height"},
                     {name: "colour", type: "ordinal", domain: thresholds, range: RAMP}],
            axes: [{orient: "bottom", scale: "x", title: "first direction", tickCount: 5}, {orient: "left", scale: "y", title: "second direction", tickCount: 5}],
            marks: [
                {type: "rect", encode: {enter: {...square(0, 0), width: {value: side}, height: {value: side}, fill: {value: RAMP[0]}}}},
                {type: "path", from: {data: "levels"}, clip: true, encode: {enter: {fill: {scale: "colour", field: "contour.value"},
                    stroke: {value: "#fff"}, strokeOpacity: {value: 0.35}, strokeWidth: {value: 0.7}}}, transform: [{type: "geopath", field: "datum.contour"}]},
                {type: "symbol", encode: {enter: {x: {value: side / 2}, y: {value: side / 2}, shape: {value: "cross"}, size: {value: 60}, fill: {value: "#fff"},
                    stroke: {value: "#000"}, tooltip: {value: "the trained weights: " + number(chart.value[(n * n - 1) / 2])}}}}],
        };
    }

    /* The same numbers seen at an angle: every square of the grid is a patch, the far ones first. */
    function surface(chart, width) {
        const side = Math.min(width, 400), n = chart.n, turn = Math.PI / 5, c = Math.cos(turn), s = Math.sin(turn);
        const scale = side / 2.9, tall = side * 0.36, span = chart.most - chart.least || 1;
        const place = (i, j) => {
            const x = 2 * j / (n - 1) - 1, y = 2 * i / (n - 1) - 1, z = (chart.value[i * n + j] - chart.least) / span;
            return [side / 2 + scale * (c * x - s * y), side * 0.62 + scale * 0.5 * (s * x + c * y) - tall * z];
        };
        const patches = [];
        for (let i = 0; i + 1 < n; i++)
            for (let j = 0; j + 1 < n; j++) {
                const corners = [[i, j], [i, j + 1], [i + 1, j + 1], [i + 1, j]];
                const mean = corners.reduce((sum, [a, b]) => sum + chart.value[a * n + b], 0) / 4;
                patches.push({far: s * j + c * i, colour: RAMP[level(chart, mean)],
                              path: "M" + corners.map(([a, b]) => place(a, b).map((v) => v.toFixed(1)).join(",")).join("L") + "Z"});
            }
        patches.sort((a, b) => a.far - b.far);
        return {
            width: side, height: side * 0.86, padding: 2, config: CONFIG, data: [{name: "patches", values: patches}],
            marks: [{type: "path", from: {data: "patches"}, encode: {enter: {path: {field: "path"}, fill: {field: "colour"}, stroke: {value: "#000"},
                strokeOpacity: {value: 0.25}, strokeWidth: {value: 0.5}}}}],
        };
    }

    const KINDS = {lines, path: lines, dots, contour, surface};

    /* ---- onto the page ---- */

    const POLYGONS = {square: "8.5,2.5 15.5,2.5 15.5,9.5 8.5,9.5", "triangle-up": "12,2 16,10 8,10", diamond: "12,1.5 16,6 12,10.5 8,6",
                      cross: "10.5,2 13.5,2 13.5,4.5 16,4.5 16,7.5 13.5,7.5 13.5,10 10.5,10 10.5,7.5 8,7.5 8,4.5 10.5,4.5",
                      "triangle-down": "8,2 16,2 12,10", "triangle-right": "8,2 16,6 8,10", "triangle-left": "16,2 16,10 8,6", stroke: "8,5.5 16,5.5 16,6.5 8,6.5"};

    function legend(chart, figure) {
        if (!chart.series || chart.kind === "dots" || chart.series.length < 2) return;
        const list = document.createElement("ul");
        list.className = "legend";
        list.setAttribute("aria-hidden", "true");
        for (const series of chart.series) {
            const item = list.appendChild(document.createElement("li")), polygon = POLYGONS[shape(series.slot)];
            item.innerHTML = `<svg width="24" height="12"><line x1="0" x2="24" y1="6" y2="6" stroke="${colour(series.slot)}" stroke-width="2" stroke-dasharray="${dash(series.slot)}"/>` +
                (polygon ? `<polygon points="${polygon}" fill="${colour(series.slot)}"/>` : `<circle cx="12" cy="6" r="4" fill="${colour(series.slot)}"/>`) + "</svg>";
            item.append(series.name);
        }
        figure.querySelector(".plot").after(list);
    }

    function draw(figure) {
        const plot = figure.querySelector(".plot"), width = Math.floor(plot.clientWidth);
        if (!width || figure.drawn === width) return;
        const chart = JSON.parse(figure.querySelector("script").textContent);
        if (!figure.drawn) legend(chart, figure);
        if (figure.view) figure.view.finalize();
        figure.drawn = width;
        figure.view = new vega.View(vega.parse(KINDS[chart.kind](chart, width)), {renderer: "svg", logLevel: vega.Error}).initialize(plot).run();
        for (const svg of plot.querySelectorAll("svg")) svg.setAttribute("aria-hidden", "true"); /* the .plot itself has the words */
    }

    const figures = [...document.querySelectorAll("figure.chart")];
    const seen = new IntersectionObserver((entries) => entries.forEach((e) => e.isIntersecting && draw(e.target)), {rootMargin: "400px"});
    figures.forEach((figure) => seen.observe(figure));
    addEventListener("beforeprint", () => {
        document.querySelectorAll("details.print").forEach((details) => (details.open = true));
        figures.forEach((figure) => figure.drawn || draw(figure));
    });
    let waiting = 0;
    addEventListener("resize", () => {
        clearTimeout(waiting);
        waiting = setTimeout(() => figures.forEach((figure) => figure.drawn && draw(figure)), 150);
    });
})();
