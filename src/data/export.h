/* export.h — a poisoned data set for somebody else's pipeline, and what that pipeline's model is then asked about.
 *
 * The training set is written out whole: replaced samples in their places, added ones after the last. Beside it lie
 * the clean test set and one numbered list of *questions*: every test image, then every image that the attack is
 * about, each with its true class and with the class that the attacker intends. Whoever answers the questions, a class
 * or logits for each, can be judged by evaluate/answers.h without Tocsin ever seeing the model.
 *
 *     data.npz | train/ test/ | data_batch_1.bin …   the training and the test set, in the format asked for
 *     judge.npz | judge/ | judge.bin                 the images of the questions, in the same format
 *     judge.csv    id,kind,place,class,intended,file   one row a question
 *     index.csv    index,kind,original_class,label,max_delta,file   one row a changed training sample
 *     export.json  what it is: data set, format, numbers, classes */
#ifndef TC_DATA_EXPORT_H
#define TC_DATA_EXPORT_H

#include "data/dataset.h"

typedef enum tc_question_kind {
    TC_QUESTION_TEST,      /* a clean test image: the model should know it */
    TC_QUESTION_TARGET,    /* a test image that the attacker wants to be taken for something else, as it is */
    TC_QUESTION_TRIGGERED, /* a test image with the attacker's trigger on it */
    TC_QUESTION_KINDS
} tc_question_kind;
extern const char *const tc_question_names[TC_QUESTION_KINDS + 1]; /* "test", …, NULL */

/* The images that an attack is about. */
typedef struct tc_attacked {
    size_t count;
    tc_question_kind *kind; /* [count] */
    uint32_t *place;        /* [count]: the test image that it is, or was made from */
    int32_t *intended;      /* [count]: the class that the attacker wants */
    uint8_t *images;        /* [count][height][width][channels] */
} tc_attacked;

/* The targets, `places` of the test split; and what POISON/triggered.npz holds, where there is one: images uint8
 * [n][h][w][c], place and intended integers [n]. */
tc_status tc_attacked_create(const tc_dataset *dataset, const uint32_t *places, size_t count, int intended,
                             const char *poison, tc_attacked **result, tc_error *error);
void tc_attacked_free(tc_attacked *attacked);

/* format: "npz", "images" or "cifar10". `folder` is new, empty or an earlier export, which is replaced
 * unless anything else lies in it. */
tc_status tc_export_write(const tc_dataset *dataset, const tc_poison *poison, const tc_attacked *attacked,
                          const char *format, const char *folder, tc_error *error);
/* What of that folder writing would refuse and, unless it may be replaced, an earlier export; makes nothing. */
tc_status tc_export_check_folder(const char *folder, bool replace, tc_error *error);

/* ---- the questions, read back ---- */

typedef struct tc_questions {
    size_t count;
    int classes;
    char (*class_names)[TC_CLASS_NAME]; /* [classes] */
    tc_question_kind *kind;             /* [count] */
    int32_t *class;                     /* [count]: true classes */
    int32_t *intended;                  /* [count]; −1 for test images */
} tc_questions;

tc_status tc_questions_read(const char *folder, tc_questions *questions, tc_error *error);
void tc_questions_free(tc_questions *questions);

#endif
