/* answers.h — what a model from outside says to the questions of an export (data/export.h), and how it did.
 *
 * A file of answers is either CSV, with the columns id,class or id followed by one logit a class, in any order of
 * rows; or NPZ, with `predictions` integers [n] or `logits` floats [n][classes] in the order of the ids. Every question
 * must be answered exactly once. */
#ifndef TC_EVALUATE_ANSWERS_H
#define TC_EVALUATE_ANSWERS_H

#include "data/export.h"
#include "evaluate/evaluate.h"

/* answer: [questions->count], the class of the largest logit where logits are given. */
tc_status tc_answers_read(const char *path, const tc_questions *questions, int32_t *answer, tc_error *error);

/* Of one kind of question: how often the right thing was said. For test images that is the true class, for the others
 * the class that the attacker intends. */
typedef struct tc_score {
    size_t hits, count;
    tc_interval interval;
} tc_score;
tc_score tc_answers_score(const tc_questions *questions, const int32_t *answer, tc_question_kind kind);

#endif
