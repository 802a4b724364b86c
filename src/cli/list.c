/* list.c — what the program knows, printed from the very tables by which it works. */
#include "cli/cli.h"

#include "experiment/spec/schema_json.h"

#include <stdio.h>
#include <string.h>

static const tc_flag flags[] = {{"json", NULL, "print JSON"}, TC_COMMON_FLAGS, TC_FLAGS_END};

static const tc_usage usage = {.command = "list",
                               .operands = "attacks|models|layers|datasets|losses|defenses|schema [NAME]",
                               .summary = "name the attacks, models, layers, datasets, losses or defenses",
                               .details =
                                   "NAME: only this attack, model, layer or defense.\n"
                                   "layers: what a network of one's own is made of (model: sequential).\n"
                                   "schema: the JSON Schema of a spec, by which editors complete and check it.\n",
                               .least = 1,
                               .most = 2,
                               .flags = flags};

static json_t *range_json(const tc_option *option) {
    if (option->type == TC_OPTION_CHOICE) {
        json_t *words = json_array();
        for (int i = 0; option->choices[i]; i++) json_array_append_new(words, json_string(option->choices[i]));
        return words;
    }
    if (option->type != TC_OPTION_INT && option->type != TC_OPTION_REAL) return json_null();
    return json_pack("[f, f]", option->low, option->high);
}

static json_t *options_json(const tc_option *table) {
    static const char *const types[] = {
        [TC_OPTION_BOOL] = "bool", [TC_OPTION_INT] = "int",       [TC_OPTION_REAL] = "real",
        [TC_OPTION_TEXT] = "text", [TC_OPTION_CHOICE] = "choice", [TC_OPTION_LIST] = "list"};
    json_t *list = json_array();
    for (; table->name; table++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:o, s:s}", "name", table->name, "type",
                                              types[table->type], "default", table->fallback, "unit", table->unit,
                                              "range", range_json(table), "help", table->help));
    return list;
}

/* ---- one printer and one JSON maker a kind ---- */

typedef struct query {
    bool json;
    const char *only; /* one name; NULL: all */
    int shown;
} query;

static bool shows(query *a, const char *name) {
    const bool shown = !a->only || !strcmp(a->only, name);
    a->shown += shown;
    return shown;
}

static json_t *attacks(query *asked) {
    json_t *list = asked->json ? json_array() : NULL;
    for (const tc_attack *a = tc_attacks(); a->name; a++) {
        if (!shows(asked, a->name)) continue;
        if (asked->json) {
            json_array_append_new(list,
                                  json_pack("{s:s, s:s, s:s, s:s, s:s, s:s?, s:o}", "name", a->name, "kind", a->kind,
                                            "summary", a->summary, "paper", a->paper, "equation", a->equation,
                                            "departs", a->departs, "options", options_json(a->options)));
            continue;
        }
        printf("%s (%s) — %s\n  paper: %s\n  what: %s\n", a->name, a->kind, a->summary, a->paper, a->equation);
        if (a->departs) printf("  departs: %s\n", a->departs);
        tc_options_describe(a->options, stdout);
    }
    return list;
}

static json_t *models(query *asked) {
    json_t *list = asked->json ? json_array() : NULL;
    for (const tc_zoo_entry *m = tc_zoo_entries(); m->name; m++) {
        if (!shows(asked, m->name)) continue;
        if (asked->json) {
            json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "name", m->name, "summary", m->summary, "options",
                                                  options_json(m->options)));
            continue;
        }
        printf("%s — %s\n", m->name, m->summary);
        tc_options_describe(m->options, stdout);
    }
    return list;
}

static json_t *layers(query *asked) {
    json_t *list = asked->json ? json_array() : NULL;
    const tc_zoo_layer *l;
    for (int i = 0; (l = tc_zoo_layer_at(i)); i++) {
        if (!shows(asked, l->name)) continue;
        if (asked->json) {
            json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o}", "name", l->name, "form", l->form, "summary",
                                                  l->summary, "options", options_json(l->options)));
            continue;
        }
        printf("%s — %s\n", l->form, l->summary);
        tc_options_describe(l->options, stdout);
    }
    if (asked->json || !asked->shown) return list;
    printf("every one, but for repeat\n");
    tc_options_describe(tc_zoo_layer_options(), stdout);
    return list;
}

static json_t *datasets(query *asked) {
    json_t *list = asked->json ? json_array() : NULL;
    for (const tc_source *s = tc_sources(); s->name; s++) {
        if (!shows(asked, s->name)) continue;
        if (asked->json)
            json_array_append_new(
                list, json_pack("{s:s, s:s, s:s}", "name", s->name, "form", s->form, "summary", s->summary));
        else
            printf("%-15s %s\n", s->form, s->summary);
    }
    return list;
}

static json_t *losses(query *asked) {
    static const char *const rows[][2] = {
        [TC_CROSS_ENTROPY] = {"cross-entropy", "−Σ t log softmax(z); soft targets too"},
        [TC_SQUARED_ERROR] = {"squared-error", "½ Σ (z − t)²; soft targets too"},
        [TC_HINGE] = {"hinge", "max(0, 1 + max_{i≠y} z_i − z_y) (Crammer and Singer 2001)"},
        [TC_MARGIN] = {"margin", "max(max_{i≠y} z_i − z_y, −κ) (Carlini and Wagner, arXiv 1608.04644)"}};
    json_t *list = asked->json ? json_array() : NULL;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!shows(asked, rows[i][0])) continue;
        if (asked->json)
            json_array_append_new(list, json_pack("{s:s, s:s}", "name", rows[i][0], "summary", rows[i][1]));
        else
            printf("%-14s %s\n", rows[i][0], rows[i][1]);
    }
    return list;
}

static json_t *defenses(query *asked) {
    json_t *list = asked->json ? json_array() : NULL;
    for (const tc_defence *d = tc_defences(); d->name; d++) {
        if (!shows(asked, d->name)) continue;
        if (asked->json) {
            json_array_append_new(list,
                                  json_pack("{s:s, s:s, s:s, s:s, s:o}", "name", d->name, "kind", d->kind, "summary",
                                            d->summary, "paper", d->paper, "options", options_json(d->options)));
            continue;
        }
        printf("%s (%s) — %s\n  %s\n", d->name, d->kind, d->summary, d->paper);
        tc_options_describe(d->options, stdout);
    }
    return list;
}

/* JSON in any case: it is for programs. */
static json_t *schema(query *asked) {
    (void)asked;
    return tc_schema_json();
}

static const struct {
    const char *name;
    json_t *(*list)(query *asked);
} kinds[] = {{"attacks", attacks}, {"models", models},     {"layers", layers}, {"datasets", datasets},
             {"losses", losses},   {"defenses", defenses}, {"schema", schema}, {"defences", defenses}};
enum { KINDS = sizeof kinds / sizeof *kinds };

static tc_status list(const tc_arguments *arguments, tc_error *error) {
    const char *wanted = arguments->positional[0], *known[KINDS + 1] = {NULL};
    query asked = {tc_arguments_has(arguments, "json"), arguments->count > 1 ? arguments->positional[1] : NULL, 0};
    for (int i = 0; i < KINDS; i++) {
        known[i] = kinds[i].name;
        if (strcmp(kinds[i].name, wanted)) continue;
        json_t *made = kinds[i].list(&asked);
        if (asked.only && !asked.shown) {
            json_decref(made);
            return tc_raise(error, TC_INVALID, "list: nothing named '%.64s' is here; `tocsin list %s` names what is",
                            asked.only, wanted);
        }
        return made || asked.json ? tc_cli_print_json(made, error) : TC_OK;
    }
    const char *near = tc_nearest(wanted, known);
    return tc_raise(error, TC_INVALID, "list: '%.64s' is not known; %s%s%s", wanted,
                    near ? "did you mean '" : "ask for attacks, models, layers, datasets, losses, defenses or schema",
                    near ? near : "", near ? "'?" : "");
}

int tc_cli_list(int argc, char **argv) {
    tc_arguments arguments;
    tc_error error = {0};
    tc_status status = tc_arguments_parse(&usage, argc, argv, &arguments, &error);
    if (status == TC_OK) status = list(&arguments, &error);
    return tc_cli_finish(status, &error);
}
