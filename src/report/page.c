/* page.c — the HTML page, from what was asked to how to repeat it. */
#include "report/report.h"

#include "base/file.h"
#include "report/figures.h"
#include "report/gallery.h"
#include "report/html.h"
#include "report/style.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CELL = 64, LARGEST_SPEC = 1 << 20 };

/* ---- what was asked ---- */

static void put_question(FILE *out, const json_t *results) {
    const json_t *spec = json_object_get(results, "spec"), *data = json_object_get(results, "data");
    const double ratio = tc_figure(spec, "threat", "ratio", NULL), train = tc_figure(data, "train", NULL);
    const double targets = tc_figure(spec, "threat", "targets", NULL);
    const double poisons = tc_figure(json_array_get(json_object_get(results, "trials"), 0), "poisons", NULL);
    fputs("<h2>What was asked</h2>\n<p class=\"lead\">Somebody may change ", out);
    if (isfinite(poisons))
        fprintf(out, "%.0f of the %.0f training images", poisons, train);
    else
        fprintf(out, "a share of %g of the %.0f training images", ratio, train);
    fputs(" of <b>", out);
    tc_html_text(out, tc_figure_text(data, "name", NULL));
    fprintf(out, "</b>, each pixel by at most %g/255, without touching a label. Can they make a freshly trained <b>",
            tc_figure(spec, "threat", "epsilon", NULL));
    tc_html_text(out, tc_figure_text(spec, "victim", "model", NULL));
    fprintf(out, "</b> take %s for a class of their choice, while it stays as good as ever on everything else?</p>\n",
            targets == 1 ? "one chosen test image" : "chosen test images");
    fputs("<p class=\"quiet\">The attacker's own surrogate: ", out);
    tc_html_text(out, tc_figure_text(spec, "surrogate", "model", NULL));
    fprintf(out,
            ". Every trial draws new targets and trains everything anew; all attacks of a trial share targets, "
            "surrogate and the victim's start. Seed %.0f, %.0f trials planned.</p>\n",
            tc_figure(spec, "seed", NULL), tc_figure(spec, "trials", NULL));
}

/* ---- what was found ---- */

static void put_share(FILE *out, const char *class, double mean, double error, int bar) {
    char text[CELL];
    tc_figure_share(mean, error, text, sizeof text);
    fprintf(out, "<td class=\"%s\">%s", class, text);
    if (bar && isfinite(mean)) fprintf(out, "<span class=\"bar\"><i style=\"width:%.1f%%\"></i></span>", 100 * mean);
    fputs("</td>", out);
}

static void put_number(FILE *out, const char *format, double value) {
    char text[CELL];
    tc_figure_number(format, value, text, sizeof text);
    fprintf(out, "<td>%s</td>", text);
}

static void put_attack_row(FILE *out, const json_t *cell) {
    fputs("<tr><td>", out);
    tc_html_text(out, tc_figure_text(cell, "factors", "label", NULL));
    fputs("</td>", out);
    put_share(out, "success", tc_figure(cell, "metrics", "success", "mean", NULL),
              tc_figure(cell, "metrics", "success", "stderr", NULL), 1);
    put_share(out, "", tc_figure(cell, "metrics", "accuracy", "mean", NULL),
              tc_figure(cell, "metrics", "accuracy", "stderr", NULL), 0);
    put_number(out, "%.0f", tc_figure(cell, "trials", NULL));
    put_number(out, "%.1f s", tc_figure(cell, "seconds", "craft", NULL));
    put_number(out, "%.1f s", tc_figure(cell, "seconds", "victim", NULL));
    fputs("</tr>\n", out);
}

static void put_table(FILE *out, const json_t *results) {
    const json_t *cells = json_object_get(results, "cells");
    const tc_baseline clean = tc_figure_baseline(results);
    fputs("<div class=\"wide\"><table>\n<tr><th>Attack</th><th>Success</th><th>Test accuracy</th><th>Trials</th>"
          "<th>Crafting</th><th>Training</th></tr>\n<tr><td>no poison</td>",
          out);
    put_share(out, "success", clean.success, clean.success_error, 1);
    put_share(out, "", clean.accuracy, clean.accuracy_error, 0);
    put_number(out, "%.0f", (double)clean.trials);
    fputs("<td>–</td><td>–</td></tr>\n", out);
    for (size_t i = 0; i < json_array_size(cells); i++) put_attack_row(out, json_array_get(cells, i));
    fputs("</table></div>\n", out);
}

static int is_control(const json_t *cell) {
    return !strcmp(tc_figure_text(cell, "factors", "attack", NULL), "random-noise");
}

/* The attack, or the control, with the most success; NULL where no trial of one is finished. */
static const json_t *strongest(const json_t *results, int control) {
    const json_t *cells = json_object_get(results, "cells"), *best = NULL;
    double most = -1;
    for (size_t i = 0; i < json_array_size(cells); i++) {
        const json_t *cell = json_array_get(cells, i);
        const double success = tc_figure(cell, "metrics", "success", "mean", NULL);
        if (is_control(cell) != control || !isfinite(success) || success <= most) continue;
        best = cell;
        most = success;
    }
    return best;
}

static void put_verdict(FILE *out, const json_t *results, const json_t *best) {
    const tc_baseline clean = tc_figure_baseline(results);
    const json_t *control = strongest(results, 1);
    const double most = tc_figure(best, "metrics", "success", "mean", NULL);
    char success[CELL], accuracy[CELL], noise[CELL], without[CELL], before[CELL];
    tc_figure_share(most, tc_figure(best, "metrics", "success", "stderr", NULL), success, sizeof success);
    tc_figure_share(tc_figure(best, "metrics", "accuracy", "mean", NULL), NAN, accuracy, sizeof accuracy);
    tc_figure_share(tc_figure(control, "metrics", "success", "mean", NULL), NAN, noise, sizeof noise);
    tc_figure_share(clean.success, NAN, without, sizeof without);
    tc_figure_share(clean.accuracy, NAN, before, sizeof before);
    fputs("<p class=\"lead\">", out);
    if (most > 0) {
        fputs("The strongest attack, <b>", out);
        tc_html_text(out, tc_figure_text(best, "factors", "label", NULL));
        fprintf(out, "</b>, succeeded with %s of the targets; ", success);
    } else {
        fputs("<b>No attack succeeded</b> with any target; ", out);
    }
    fprintf(
        out,
        "the control, random noise, with %s. Without any poison, %s of them would have been taken for the attacker's "
        "class anyway. Test accuracy with the poison %s, without it %s.</p>\n",
        noise, without, accuracy, before);
}

static void put_findings(FILE *out, const json_t *results) {
    const json_t *best = strongest(results, 0);
    fputs("<h2>What was found</h2>\n", out);
    if (best)
        put_verdict(out, results, best);
    else
        fputs("<p class=\"lead\">No trial of an attack has been finished yet.</p>\n", out);
    put_table(out, results);
    fputs("<p class=\"quiet\">Success: the share of targets taken for the attacker's class. Test accuracy: on the "
          "untouched "
          "test images. Mean ± standard error over the trials. <i>random-noise</i> is the control: the same images "
          "changed as much, but at random. Crafting and training: seconds of one trial.</p>\n",
          out);
}

/* ---- every trial ---- */

static void put_class(FILE *out, const json_t *results, const json_t *class) {
    const json_t *names = json_object_get(json_object_get(results, "data"), "classes");
    const char *name = json_is_integer(class) && json_integer_value(class) >= 0
                           ? json_string_value(json_array_get(names, (size_t)json_integer_value(class)))
                           : NULL;
    if (name && *name)
        tc_html_text(out, name);
    else
        fprintf(out, "%lld", (long long)json_integer_value(class));
}

static void put_predictions(FILE *out, const json_t *results, const json_t *row, const char *key) {
    const json_t *predicted = json_object_get(row, key), *intended = json_object_get(row, "intended_class");
    for (size_t i = 0; i < json_array_size(predicted); i++) {
        const json_t *class = json_array_get(predicted, i);
        const int hit = json_equal(class, intended);
        if (i) fputs(", ", out);
        fputs(hit ? "<b class=\"hit\">" : "", out);
        put_class(out, results, class);
        fputs(hit ? "</b>" : "", out);
    }
}

static void put_trials(FILE *out, const json_t *results) {
    const json_t *rows = json_object_get(results, "trials"), *cells = json_object_get(results, "cells");
    fputs(
        "<h2>Every trial</h2>\n<details><summary>What each victim took its targets for</summary>\n<div class=\"wide\">"
        "<table>\n<tr><th>Attack</th><th>Trial</th><th>Target is</th><th>Intended</th><th>Clean victim says</th>"
        "<th>Poisoned victim says</th><th>Accuracy</th></tr>\n",
        out);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const size_t cell = (size_t)json_integer_value(json_object_get(row, "cell"));
        fputs("<tr><td>", out);
        tc_html_text(out, tc_figure_text(json_array_get(cells, cell), "factors", "label", NULL));
        fprintf(out, "</td><td>%.0f</td><td>", tc_figure(row, "trial", NULL) + 1);
        put_class(out, results, json_object_get(row, "target_class"));
        fputs("</td><td>", out);
        put_class(out, results, json_object_get(row, "intended_class"));
        fputs("</td><td>", out);
        put_predictions(out, results, row, "clean_predicted");
        fputs("</td><td>", out);
        put_predictions(out, results, row, "predicted");
        fputs("</td>", out);
        put_share(out, "", tc_figure(row, "metrics", "accuracy", NULL), NAN, 0);
        fputs("</tr>\n", out);
    }
    fputs("</table></div></details>\n", out);
}

/* ---- where it comes from ---- */

static void put_entry(FILE *out, const char *name, const char *value) {
    fprintf(out, "<dt>%s</dt><dd>", name);
    tc_html_text(out, value);
    fputs("</dd>\n", out);
}

static void put_machine(FILE *out, const json_t *machine) {
    char text[CELL];
    put_entry(out, "Processor", tc_figure_text(machine, "cpu", NULL));
    tc_figure_number("%.0f", tc_figure(machine, "cores", NULL), text, sizeof text);
    put_entry(out, "Cores", text);
    tc_figure_number("%.1f GiB", tc_figure(machine, "memory_bytes", NULL) / 0x1p30, text, sizeof text);
    put_entry(out, "Memory", text);
    put_entry(out, "System", tc_figure_text(machine, "system", NULL));
    put_entry(out, "Compiler", tc_figure_text(machine, "compiler", NULL));
    put_entry(out, "oneDNN", tc_figure_text(machine, "onednn", NULL));
}

static void put_provenance(FILE *out, const char *folder, const json_t *results) {
    char path[TC_PATH_SIZE];
    uint8_t *spec = NULL;
    size_t size = 0;
    fputs("<h2>Where it comes from</h2>\n<dl>\n", out);
    put_entry(out, "Tocsin", tc_figure_text(results, "version", NULL));
    put_entry(out, "Written", tc_figure_text(results, "time", NULL));
    put_machine(out, json_object_get(results, "machine"));
    fputs("</dl>\n<p>To repeat it: <code>tocsin run spec.resolved.yaml</code> with the file below. On the same kind of "
          "processor the same seed gives the same numbers.</p>\n",
          out);
    if (tc_path_format(path, NULL, "%s/spec.resolved.yaml", folder) == TC_OK &&
        tc_file_read(path, LARGEST_SPEC, &spec, &size, NULL) == TC_OK) {
        fputs("<details><summary>spec.resolved.yaml</summary><pre>", out);
        tc_html_text(out, (const char *)spec);
        fputs("</pre></details>\n", out);
    }
    free(spec);
}

/* ---- the page ---- */

tc_status tc_report_write(const char *folder, const json_t *results, tc_error *error) {
    char path[TC_PATH_SIZE];
    tc_output output = {0};
    tc_status status = TC_OK;
    TC_TRY(tc_path_format(path, error, "%s/report.html", folder));
    TC_TRY(tc_output_open(path, &output, error));
    FILE *out = output.file;
    fputs("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
          out);
    tc_html_text(out, tc_figure_text(results, "spec", "name", NULL));
    fprintf(out, " — Tocsin</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n<h1>", tc_report_style);
    tc_html_text(out, tc_figure_text(results, "spec", "name", NULL));
    fputs("</h1>\n<p class=\"quiet\">Tocsin: how far poisoned training data can bend an image classifier</p>\n", out);
    put_question(out, results);
    put_findings(out, results);
    TC_TRY(tc_gallery_write(folder, results, out, error));
    put_trials(out, results);
    put_provenance(out, folder, results);
    fputs("</main>\n</body>\n</html>\n", out);
    TC_TRY(tc_output_commit(&output, error));
done:
    tc_output_abandon(&output);
    return status;
}
