/* questions.c — judge.csv and export.json, read back (export.h). */
#include "base/csv.h"
#include "base/file.h"
#include "data/export.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST_SUMMARY = 16 << 20, MOST_CLASSES = 65536, LONGEST_ROW = 256 };

void tc_questions_free(tc_questions *q) {
    free(q->class_names);
    free(q->kind);
    free(q->class);
    free(q->intended);
    *q = (tc_questions){0};
}

static tc_status read_summary(const char *folder, tc_questions *q, tc_error *error) {
    tc_status status = TC_OK;
    char path[TC_PATH_SIZE];
    uint8_t *text = NULL;
    size_t size = 0;
    json_t *root = NULL;
    json_error_t reason;
    TC_TRY(tc_path_format(path, error, "%s/export.json", folder));
    TC_TRY(tc_file_read(path, LARGEST_SUMMARY, &text, &size, error));
    root = json_loadb((const char *)text, size, 0, &reason);
    if (!root) TC_RAISE(TC_INVALID, "%s:%d: not valid JSON: %s; export again", path, reason.line, reason.text);
    const json_t *classes = json_object_get(root, "classes");
    const json_int_t count = json_integer_value(json_object_get(root, "questions"));
    if (json_array_size(classes) < 2 || json_array_size(classes) > MOST_CLASSES || count < 1 || count > INT32_MAX)
        TC_RAISE(TC_INVALID, "%s: names no classes or no questions; export again", path);
    q->classes = (int)json_array_size(classes);
    q->count = (size_t)count;
    TC_TRY(tc_new(&q->class_names, (size_t)q->classes, sizeof *q->class_names, error));
    for (int c = 0; c < q->classes; c++) {
        const char *name = json_string_value(json_array_get(classes, (size_t)c));
        snprintf(q->class_names[c], TC_CLASS_NAME, "%s", name ? name : "");
    }
done:
    json_decref(root);
    free(text);
    return status;
}

static tc_status read_kind(const tc_csv *csv, const char *cell, tc_question_kind *kind, tc_error *error) {
    for (int k = 0; cell && k < TC_QUESTION_KINDS; k++) {
        *kind = (tc_question_kind)k;
        if (!strcmp(cell, tc_question_names[k])) return TC_OK;
    }
    return tc_raise(error, TC_INVALID, "%s:%zu: kind is '%.40s'; must be test, target or triggered", csv->path,
                    csv->line, cell ? cell : "");
}

/* id,kind,place,class,intended,file */
static tc_status read_question(tc_csv *csv, tc_questions *q, size_t i, tc_error *error) {
    tc_status status = TC_OK;
    int64_t id, place, class, intended = -1;
    TC_TRY(tc_csv_int(csv, tc_csv_cell(csv), "id", (int64_t)i, (int64_t)i, &id, error));
    TC_TRY(read_kind(csv, tc_csv_cell(csv), &q->kind[i], error));
    TC_TRY(tc_csv_int(csv, tc_csv_cell(csv), "place", 0, INT32_MAX, &place, error));
    TC_TRY(tc_csv_int(csv, tc_csv_cell(csv), "class", 0, q->classes - 1, &class, error));
    const char *cell = tc_csv_cell(csv);
    if (q->kind[i] != TC_QUESTION_TEST) TC_TRY(tc_csv_int(csv, cell, "intended", 0, q->classes - 1, &intended, error));
    q->class[i] = (int32_t) class;
    q->intended[i] = (int32_t)intended;
done:
    return status;
}

tc_status tc_questions_read(const char *folder, tc_questions *q, tc_error *error) {
    tc_status status = TC_OK;
    char path[TC_PATH_SIZE];
    tc_csv csv = {0};
    size_t count = 0;
    *q = (tc_questions){0};
    TC_TRY(read_summary(folder, q, error));
    TC_TRY(tc_path_format(path, error, "%s/judge.csv", folder));
    TC_TRY(tc_csv_open(path, (q->count + 1) * LONGEST_ROW, &csv, error));
    if (q->count > csv.size) TC_RAISE(TC_INVALID, "%s: fewer rows than export.json has; export again", path);
    TC_TRY(tc_new(&q->kind, q->count, sizeof *q->kind, error));
    TC_TRY(tc_new(&q->class, q->count, sizeof *q->class, error));
    TC_TRY(tc_new(&q->intended, q->count, sizeof *q->intended, error));
    tc_csv_row(&csv); /* the names of the columns */
    for (; tc_csv_row(&csv); count++) {
        if (count == q->count) TC_RAISE(TC_INVALID, "%s: more than the %zu rows of export.json", path, q->count);
        TC_TRY(read_question(&csv, q, count, error));
    }
    if (count != q->count)
        TC_RAISE(TC_INVALID, "%s: %zu rows where export.json has %zu; export again", path, count, q->count);
done:
    tc_csv_close(&csv);
    if (status != TC_OK) tc_questions_free(q);
    return status;
}
