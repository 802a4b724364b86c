"""The networks of the zoo in PyTorch, with the names that checkpoints in the field have.

Used by derive.py (derivatives) and tensors.py (names and shapes). `build(name, width)` gives the network,
`TASKS[name]` the (channels, height, width) that it is tried on.
"""
import torch
import torch.nn as nn
import torch.nn.functional as F
from collections import OrderedDict

GREY, COLOUR = (1, 28, 28), (3, 32, 32)


class BasicBlock(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        reshapes = stride != 1 or cin != cout
        project = [nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout)] if reshapes else []
        self.shortcut = nn.Sequential(*project)

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.shortcut(x))


class Bottleneck(nn.Module):
    def __init__(self, cin, channels, stride):
        super().__init__()
        cout = 4 * channels
        self.conv1 = nn.Conv2d(cin, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, cout, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(cout)
        reshapes = stride != 1 or cin != cout
        project = [nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout)] if reshapes else []
        self.shortcut = nn.Sequential(*project)

    def forward(self, x):
        y = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        return F.relu(self.bn3(self.conv3(y)) + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self, depths, width, block=BasicBlock, expansion=1):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        cin = width
        for stage, depth in enumerate(depths):
            blocks = []
            for i in range(depth):
                blocks.append(block(cin, width << stage, 2 if stage and not i else 1))
                cin = expansion * width << stage
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.linear = nn.Linear(cin, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        return self.linear(x.mean((2, 3)))


class InvertedResidual(nn.Module):
    def __init__(self, cin, cout, expansion, stride):
        super().__init__()
        wide = expansion * cin
        self.conv1 = nn.Conv2d(cin, wide, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(wide)
        self.conv2 = nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False)
        self.bn2 = nn.BatchNorm2d(wide)
        self.conv3 = nn.Conv2d(wide, cout, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(cout)
        self.adds = stride == 1
        project = [nn.Conv2d(cin, cout, 1, bias=False), nn.BatchNorm2d(cout)] if self.adds and cin != cout else []
        self.shortcut = nn.Sequential(*project)

    def forward(self, x):
        y = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        y = self.bn3(self.conv3(y))
        return y + self.shortcut(x) if self.adds else y


class MobileNetV2(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        blocks, cin = [], width
        for expansion, channels, count, stride in ((1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2),
                                                   (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
            for i in range(count):
                cout = eighths(channels * width / 32)
                blocks.append(InvertedResidual(cin, cout, expansion, 1 if i else stride))
                cin = cout
        self.layers = nn.Sequential(*blocks)
        last = eighths(1280 * width / 32)
        self.conv2 = nn.Conv2d(cin, last, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(last)
        self.linear = nn.Linear(last, 10)

    def forward(self, x):
        x = self.layers(F.relu(self.bn1(self.conv1(x))))
        return self.linear(F.relu(self.bn2(self.conv2(x))).mean((2, 3)))


def eighths(channels):
    """The nearest multiple of 8 that is not more than a tenth below, at least 8."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest


class VGG(nn.Module):
    def __init__(self, depths, width):
        super().__init__()
        layers, cin = [], 3
        for depth, multiple in zip(depths, (1, 2, 4, 8, 8)):
            for _ in range(depth):
                cout = multiple * width
                layers += [nn.Conv2d(cin, cout, 3, padding=1), nn.BatchNorm2d(cout), nn.ReLU()]
                cin = cout
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(cin, 10)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


class ConvNet(nn.Module):
    def __init__(self, width):
        super().__init__()
        layers, cin = OrderedDict(), 3
        for i, multiple in enumerate((1, 2, 2, 4, 4, 4, 4, 4)):
            cout = multiple * width
            layers[f"conv{i}"] = nn.Conv2d(cin, cout, 3, padding=1)
            layers[f"bn{i}"] = nn.BatchNorm2d(cout)
            layers[f"relu{i}"] = nn.ReLU()
            if i in (5, 7):
                layers[f"pool{i}"] = nn.MaxPool2d(3)
            cin = cout
        layers["flatten"] = nn.Flatten()
        layers["linear"] = nn.Linear(9 * cin, 10)
        self.model = nn.Sequential(layers)

    def forward(self, x):
        return self.model(x)


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        n, tokens, width = x.shape
        q, k, v = self.qkv(x).view(n, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(2, 3) * q.shape[3] ** -0.5
        return self.proj((scores.softmax(3) @ v).transpose(1, 2).reshape(n, tokens, width))


class TransformerBlock(nn.Module):
    def __init__(self, width, heads, hidden):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, 1e-6)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, 1e-6)
        self.mlp = nn.Sequential(OrderedDict(fc1=nn.Linear(width, hidden), act=nn.GELU(), fc2=nn.Linear(hidden, width)))

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ViT(nn.Module):
    """timm's VisionTransformer in the sizes of omihub777/ViT-CIFAR."""

    def __init__(self, width, depth=7, patch=4, side=32):
        super().__init__()
        heads = max(1, width // 32)
        self.cls_token = nn.Parameter(torch.randn(1, 1, width) * 1e-6)
        self.pos_embed = nn.Parameter(torch.randn(1, 1 + (side // patch) ** 2, width) * 0.02)
        self.patch_embed = nn.Sequential(OrderedDict(proj=nn.Conv2d(3, width, patch, patch)))
        self.blocks = nn.Sequential(*[TransformerBlock(width, heads, width) for _ in range(depth)])
        self.norm = nn.LayerNorm(width, 1e-6)
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        x = self.patch_embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        return self.head(self.norm(self.blocks(x))[:, 0])


def lenet(task, _width):
    padding = 2 if task[1] < 32 else 0
    return nn.Sequential(
        nn.Conv2d(task[0], 6, 5, padding=padding), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))


def mlp(task, width):
    pixels = task[0] * task[1] * task[2]
    return nn.Sequential(nn.Flatten(), nn.Linear(pixels, width), nn.LeakyReLU(0.2), nn.Linear(width, width),
                         nn.LeakyReLU(0.2), nn.Linear(width, 10))


def cnn(task, width):
    return nn.Sequential(nn.Conv2d(task[0], width, 5, 1, 2), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(width, 2 * width, 5, 1, 2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                         nn.Linear(2 * width * (task[1] // 4) * (task[2] // 4), 10))


def logreg(task, _width):
    return nn.Sequential(nn.Flatten(), nn.Linear(task[0] * task[1] * task[2], 10))


# ---- one's own: docs/spec.md ----

class Residual(nn.Module):
    def __init__(self, body, shortcut=()):
        super().__init__()
        self.body, self.shortcut = nn.Sequential(*body), nn.Sequential(*shortcut)

    def forward(self, x):
        return self.body(x) + self.shortcut(x)


class Scale(nn.Module):
    def __init__(self, gate):
        super().__init__()
        self.gate = nn.Sequential(*gate)

    def forward(self, x):
        return x * self.gate(x)[:, :, None, None]


class Concat(nn.ModuleList):
    def forward(self, x):
        return torch.cat([branch(x) for branch in self], 1)


def global_pool():
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


def step(cin, cout, stride=1, kernel=3):
    return [nn.Conv2d(cin, cout, kernel, stride, kernel // 2), nn.BatchNorm2d(cout), nn.ReLU()]


LAYERS = """
- conv 8 bias=false
- batch-norm
- relu
- residual: [conv 12 stride=2, batch-norm, relu, conv 12, batch-norm]
  shortcut: [conv 12 kernel=1 stride=2]
- relu
- repeat 2: [conv 12, batch-norm, relu]
- scale: [global-pool, linear 6, relu6, linear 12, sigmoid]
- concat: [[conv 5 kernel=1, tanh], [max-pool 3 stride=1 padding=1], [average-pool 3 stride=1 padding=1, leaky-relu 0.2]]
- conv-transposed 9
- gelu
- global-pool
- linear
"""


def sequential(_task, _width):
    """What LAYERS describes."""
    shrink = Residual(step(8, 12, 2) + step(12, 12)[:2], [nn.Conv2d(8, 12, 1, 2)])
    squeeze = Scale([global_pool(), nn.Linear(12, 6), nn.ReLU6(), nn.Linear(6, 12), nn.Sigmoid()])
    branches = Concat([nn.Sequential(nn.Conv2d(12, 5, 1), nn.Tanh()), nn.Sequential(nn.MaxPool2d(3, 1, 1)),
                       nn.Sequential(nn.AvgPool2d(3, 1, 1), nn.LeakyReLU(0.2))])
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), shrink, nn.ReLU(),
                         *step(12, 12), *step(12, 12), squeeze, branches, nn.ConvTranspose2d(29, 9, 2, 2), nn.GELU(),
                         global_pool(), nn.Linear(9, 10))


NETWORKS = {  # name: (task, default width, builder); width None: the network has no such option here
    "logreg": (GREY, None, logreg),
    "mlp": (GREY, 784, mlp),
    "lenet": (GREY, None, lenet),
    "cnn": (GREY, 16, cnn),
    "cnn-cifar": (COLOUR, None, lenet),
    "convnet": (COLOUR, 64, lambda task, width: ConvNet(width)),
    "vgg11": (COLOUR, 64, lambda task, width: VGG((1, 1, 2, 2, 2), width)),
    "vgg13": (COLOUR, 64, lambda task, width: VGG((2, 2, 2, 2, 2), width)),
    "vgg16": (COLOUR, 64, lambda task, width: VGG((2, 2, 3, 3, 3), width)),
    "resnet18": (COLOUR, 64, lambda task, width: ResNet((2, 2, 2, 2), width)),
    "resnet34": (COLOUR, 64, lambda task, width: ResNet((3, 4, 6, 3), width)),
    "resnet50": (COLOUR, 64, lambda task, width: ResNet((3, 4, 6, 3), width, Bottleneck, 4)),
    "mobilenetv2": (COLOUR, 32, lambda task, width: MobileNetV2(width)),
    "vit": (COLOUR, 384, lambda task, width: ViT(width)),
    "sequential": (COLOUR, None, sequential),
}
TASKS = {name: row[0] for name, row in NETWORKS.items()}


def build(name, width=None):
    task, default, make = NETWORKS[name]
    return make(task, width or default)
