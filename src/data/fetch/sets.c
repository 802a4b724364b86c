/* sets.c — the data sets that can be fetched, and where to put them.
 *
 * Sizes and checksums are those that TensorFlow Datasets (url_checksums/) and torchvision publish for these very
 * files; all of them are SHA-256. The home pages of CIFAR and Fashion-MNIST publish MD5 sums of the same files, those
 * of MNIST and SVHN none. The second address of MNIST is a mirror, for its home often does not answer. */
#include "base/option.h"
#include "data/fetch/fetch.h"

#include <stdlib.h>
#include <string.h>

static const tc_remote_set sets[] = {
    {.name = "mnist",
     .scheme = "idx",
     .page = "http://yann.lecun.com/exdb/mnist/",
     .base = {"http://yann.lecun.com/exdb/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"},
     .file = {{"train-images-idx3-ubyte.gz", 9912422,
               "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"},
              {"train-labels-idx1-ubyte.gz", 28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"},
              {"t10k-images-idx3-ubyte.gz", 1648877,
               "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"},
              {"t10k-labels-idx1-ubyte.gz", 4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"}}},
    {.name = "fashion-mnist",
     .scheme = "idx",
     .page = "https://github.com/zalandoresearch/fashion-mnist",
     .base = {"http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"},
     .file = {{"train-images-idx3-ubyte.gz", 26421880,
               "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"},
              {"train-labels-idx1-ubyte.gz", 29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"},
              {"t10k-images-idx3-ubyte.gz", 4422102,
               "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"},
              {"t10k-labels-idx1-ubyte.gz", 5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"}}},
    {.name = "cifar10",
     .scheme = "cifar10",
     .page = "https://www.cs.toronto.edu/~kriz/cifar.html",
     .base = {"https://www.cs.toronto.edu/~kriz/"},
     .file = {{"cifar-10-binary.tar.gz", 170052171,
               "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"}},
     .unpacked = "cifar-10-batches-bin",
     .unpacked_limit = 200000000},
    {.name = "cifar100",
     .scheme = "cifar100",
     .page = "https://www.cs.toronto.edu/~kriz/cifar.html",
     .base = {"https://www.cs.toronto.edu/~kriz/"},
     .file = {{"cifar-100-binary.tar.gz", 168513733,
               "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"}},
     .unpacked = "cifar-100-binary",
     .unpacked_limit = 200000000},
    {.name = "svhn",
     .scheme = "svhn",
     .page = "http://ufldl.stanford.edu/housenumbers/",
     .base = {"http://ufldl.stanford.edu/housenumbers/"},
     .file = {{"train_32x32.mat", 182040794, "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8"},
              {"test_32x32.mat", 64275384, "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b"}}},
    {.name = NULL},
};
enum { SETS = sizeof sets / sizeof *sets - 1 };

const tc_remote_set *tc_remote_sets(void) {
    return sets;
}

tc_status tc_remote_find(const char *name, const tc_remote_set **set, tc_error *error) {
    const char *names[SETS + 1] = {NULL};
    for (int i = 0; i < SETS; i++) {
        names[i] = sets[i].name;
        *set = &sets[i];
        if (!strcmp(name, sets[i].name)) return TC_OK;
    }
    *set = NULL;
    const char *near = tc_nearest(name, names);
    if (near) return tc_raise(error, TC_INVALID, "data fetch: '%.64s' is not known; did you mean %s?", name, near);
    return tc_raise(error, TC_INVALID,
                    "data fetch: '%.64s' is not known; write mnist, fashion-mnist, cifar10, cifar100 or svhn", name);
}

tc_status tc_fetch_folder(const char *name, char path[TC_PATH_SIZE], tc_error *error) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && cache[0] == '/') return tc_path_format(path, error, "%s/tocsin/%s", cache, name);
    if (home && home[0] == '/') return tc_path_format(path, error, "%s/.cache/tocsin/%s", home, name);
    return tc_raise(error, TC_INVALID, "data fetch: neither XDG_CACHE_HOME nor HOME is set; write --out DIR");
}
