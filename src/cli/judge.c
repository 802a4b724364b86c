/* judge.c — `tocsin evaluate --predictions FILE --export DIR`: how a model that was trained elsewhere did. */
#include "base/log.h"
#include "cli/cli.h"
#include "evaluate/answers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const said[TC_QUESTION_KINDS] = {
    [TC_QUESTION_TEST] = "clean accuracy",
    [TC_QUESTION_TARGET] = "targets taken for the intended class",
    [TC_QUESTION_TRIGGERED] = "triggered images taken for the intended class",
};
/* Named as `evaluate` with --weights names them. */
static const struct {
    const char *rate, *interval, *count;
} keys[TC_QUESTION_KINDS] = {
    {"accuracy", "accuracy_interval", "images"},
    {"success", "success_interval", "targets"},
    {"triggered_success", "triggered_success_interval", "triggered"},
};

static tc_status tell_json(const tc_score *score, tc_error *error) {
    json_t *root = json_object();
    for (int k = 0; k < TC_QUESTION_KINDS; k++) {
        const tc_interval seen = score[k].interval;
        if (!score[k].count) continue;
        json_object_set_new(root, keys[k].rate, json_real(seen.rate));
        json_object_set_new(root, keys[k].interval, json_pack("[f, f]", seen.low, seen.high));
        json_object_set_new(root, keys[k].count, json_integer((json_int_t)score[k].count));
    }
    return tc_cli_print_json(root, error);
}

static void tell(const tc_score *score) {
    for (int k = 0; k < TC_QUESTION_KINDS; k++) {
        const tc_score *s = &score[k];
        if (s->count)
            printf("%-45s %zu of %zu: %.2f %% (95 %% interval %.2f … %.2f)\n", said[k], s->hits, s->count,
                   100 * s->interval.rate, 100 * s->interval.low, 100 * s->interval.high);
    }
}

tc_status tc_cli_judge(const tc_arguments *arguments, tc_error *error) {
    const char *answers = tc_arguments_value(arguments, "predictions", NULL);
    const char *folder = tc_arguments_value(arguments, "export", NULL);
    tc_questions questions = {0};
    tc_score score[TC_QUESTION_KINDS];
    int32_t *answer = NULL;
    tc_status status = TC_OK;
    if (!answers || !folder)
        TC_RAISE(TC_INVALID, "evaluate: --%s is missing; write --predictions FILE --export DIR",
                 answers ? "export" : "predictions");
    if (tc_arguments_has(arguments, "weights"))
        TC_RAISE(TC_INVALID, "evaluate: --weights and --predictions exclude each other; give one of them");
    TC_TRY(tc_questions_read(folder, &questions, error));
    TC_TRY(tc_new(&answer, questions.count, sizeof *answer, error));
    TC_TRY(tc_answers_read(answers, &questions, answer, error));
    for (int k = 0; k < TC_QUESTION_KINDS; k++) score[k] = tc_answers_score(&questions, answer, (tc_question_kind)k);
    if (tc_arguments_has(arguments, "json"))
        TC_TRY(tell_json(score, error));
    else if (tc_log_verbosity() != TC_QUIET)
        tell(score);
done:
    free(answer);
    tc_questions_free(&questions);
    return status;
}
