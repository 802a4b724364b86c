#include "report/figures.h"
#include "report/report.h"

#include <math.h>
#include <string.h>

enum { CELL = 64 };

/* printf's widths count bytes; these texts hold ± and –. */
static int columns(const char *text) {
    int width = 0;
    for (; *text; text++) width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

static void put(FILE *out, const char *text, int width, int left) {
    const int pad = width - columns(text);
    if (!left) fprintf(out, "%*s", pad > 0 ? pad : 0, "");
    fputs(text, out);
    if (left) fprintf(out, "%*s", pad > 0 ? pad : 0, "");
}

static void row(FILE *out, int first, const char *const cell[6]) {
    static const int widths[] = {0, 18, 18, 8, 10, 10};
    put(out, cell[0], first, 1);
    for (int i = 1; i < 6; i++) put(out, cell[i], widths[i], 0);
    fputc('\n', out);
}

static void attack_row(FILE *out, int first, const json_t *cell) {
    char success[CELL], accuracy[CELL], trials[CELL], craft[CELL], victim[CELL];
    tc_figure_share(tc_figure(cell, "metrics", "success", "mean", NULL),
                    tc_figure(cell, "metrics", "success", "stderr", NULL), success, sizeof success);
    tc_figure_share(tc_figure(cell, "metrics", "accuracy", "mean", NULL),
                    tc_figure(cell, "metrics", "accuracy", "stderr", NULL), accuracy, sizeof accuracy);
    tc_figure_number("%.0f", tc_figure(cell, "trials", NULL), trials, sizeof trials);
    tc_figure_number("%.1f s", tc_figure(cell, "seconds", "craft", NULL), craft, sizeof craft);
    tc_figure_number("%.1f s", tc_figure(cell, "seconds", "victim", NULL), victim, sizeof victim);
    row(out, first,
        (const char *const[]){tc_figure_text(cell, "factors", "label", NULL), success, accuracy, trials, craft,
                              victim});
}

void tc_report_table(const json_t *results, FILE *out) {
    const json_t *cells = json_object_get(results, "cells");
    const tc_baseline clean = tc_figure_baseline(results);
    char success[CELL], accuracy[CELL], trials[CELL];
    int first = columns("no poison");
    for (size_t i = 0; i < json_array_size(cells); i++) {
        const int width = columns(tc_figure_text(json_array_get(cells, i), "factors", "label", NULL));
        if (width > first) first = width;
    }
    row(out, first, (const char *const[]){"attack", "success", "test accuracy", "trials", "craft", "train"});
    tc_figure_share(clean.success, clean.success_error, success, sizeof success);
    tc_figure_share(clean.accuracy, clean.accuracy_error, accuracy, sizeof accuracy);
    tc_figure_number("%.0f", (double)clean.trials, trials, sizeof trials);
    row(out, first, (const char *const[]){"no poison", success, accuracy, trials, "–", "–"});
    for (size_t i = 0; i < json_array_size(cells); i++) attack_row(out, first, json_array_get(cells, i));
}
