/* album.h — pictures as somebody keeps them, and the data set that they make.
 *
 * A folder with a folder a class, whose pictures may differ in size, or any other source of tc_dataset_open, whose
 * training images then count as the pictures. All of them are in `dataset.train`, at one size. What a network that was
 * trained on them is asked about is in `dataset.test`: the folder's own test/, or else copies of a seeded fifth of
 * every class, which are marked as held. */
#ifndef TC_DATA_ALBUM_H
#define TC_DATA_ALBUM_H

#include "base/path.h"
#include "data/dataset.h"
#include "data/image_file.h"
#include "data/leftovers.h"

typedef struct tc_album {
    char root[TC_PATH_SIZE]; /* of the files; "": there are none */
    size_t count;
    char **file;       /* [count]: "cat/001.jpg", below root; or what such a file would be called */
    int32_t *label;    /* [count] */
    bool *held;        /* [count]: also in the test split */
    bool resized;      /* some picture has another size than the data set's images */
    tc_leftovers left; /* of a folder: what is in it and not in here */
    tc_dataset *dataset;
} tc_album;

/* The folder that `source` names, "images:FOLDER" or FOLDER, which need not be there; NULL: it names no folder. */
const char *tc_album_folder(const char *source);
/* size: of the data set's images, pixels; 0: the pictures' own where they agree, at most `most`, which else is taken
 * (0: refused where they differ). */
tc_status tc_album_open(const char *source, int size, int most, uint64_t seed, tc_album *album, tc_error *error);
void tc_album_free(tc_album *album);
/* The class of picture i: its folder's name, whole, or the data set's. Written to `name`, which is returned. */
const char *tc_album_class(const tc_album *album, size_t i, char name[TC_PATH_SIZE]);
/* Picture i as it is kept, in as many channels as the data set has. Free its pixels. */
tc_status tc_album_picture(const tc_album *album, size_t i, tc_image *picture, tc_error *error);

#endif
