"""The building blocks of the networks."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from bifrons_training import preprocessing


class ConvBN(nn.Module):
    """A convolution, a batch norm and, if `relu`, an activation. `fuse` folds the norm into the convolution for export.

    With `same`, even sides are padded as in TensorFlow at a stride of 2: one more pixel at the right and at the bottom.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        relu: bool = True,
        groups: int = 1,
        same: bool = False,
        activation: type[nn.Module] = nn.ReLU,
        epsilon: float = 1e-5,
    ) -> None:
        super().__init__()
        before = (kernel - stride) // 2
        self.padding: nn.Module = nn.ZeroPad2d((before, kernel - stride - before) * 2) if same else nn.Identity()
        padding = 0 if same else kernel // 2
        self.convolution: nn.Module = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(outputs, epsilon)
        self.activation: nn.Module = activation(inplace=True) if relu else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Maps [N, inputs, H, W] to [N, outputs, H / stride, W / stride]."""
        return self.activation(self.norm(self.convolution(self.padding(x))))

    def fuse(self) -> None:
        """Folds the norm's scale and shift into the convolution's weights."""
        self.convolution = fuse_conv_bn_eval(self.convolution, self.norm)
        self.norm = nn.Identity()


class Residuals(nn.Module):
    """The image with its prediction residuals: [N, 3, H, W] to [N, 12, H, W] in one convolution of fixed kernels.

    Each colour channel passes unchanged and through three high-pass filters of the rich model (Fridrich and Kodovsky
    2012). The result is clipped where edges would drown the noise. The input lies in -2…2, so the image is not clipped.
    """

    CUT = 3.0
    """The limit of a residual. One unit of the input is 64 grey levels and eight units of a residual, so residuals are
    clipped at 24 grey levels."""

    def __init__(self) -> None:
        super().__init__()
        same = torch.zeros(5, 5)
        same[2, 2] = 1 / 8
        second = torch.zeros(5, 5)
        second[2, 1:4] = torch.tensor([1.0, -2.0, 1.0]) / 2
        square3 = torch.zeros(5, 5)
        square3[1:4, 1:4] = torch.tensor([[-1.0, 2, -1], [2, -4, 2], [-1, 2, -1]]) / 4
        square5 = torch.tensor(
            [[-1.0, 2, -2, 2, -1], [2, -6, 8, -6, 2], [-2, 8, -12, 8, -2], [2, -6, 8, -6, 2], [-1, 2, -2, 2, -1]]
        )
        kernels = torch.zeros(12, 3, 5, 5)
        for number, kernel in enumerate((same, second, square3, square5 / 12)):
            for channel in range(3):
                kernels[3 * number + channel, channel] = kernel
        self.register_buffer("kernels", kernels * 8)

    def forward(self, x: Tensor) -> Tensor:
        """Maps images [N, 3, H, W] to [N, 12, H, W]."""
        return nn.functional.conv2d(x, self.kernels, padding=2).clamp(-self.CUT, self.CUT)


class Stem(nn.Module):
    """The first convolution of a network pretrained on images of another scale, with a branch for the residuals.

    `mean` and `std` define that other scale, in grey levels of 0…255.
    """

    def __init__(self, first: ConvBN, mean: tuple[float, float, float], std: float) -> None:
        super().__init__()
        self.first = first
        self.gain = 255 * preprocessing.STD[0] / std
        shift = (255 * preprocessing.MEAN[0] - torch.tensor(mean)) / std
        self.register_buffer("shift", shift.view(1, 3, 1, 1), persistent=False)
        self.residuals = Residuals()
        convolution = first.convolution
        assert isinstance(convolution, nn.Conv2d)
        self.noise = nn.Conv2d(12, convolution.out_channels, 3, 2, 1, bias=False)
        nn.init.zeros_(self.noise.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Maps images [N, 3, H, W] to features [N, C, H / 2, W / 2]."""
        first = self.first
        seen = first.convolution(first.padding(x * self.gain + self.shift)) + self.noise(self.residuals(x))
        return first.activation(first.norm(seen))

    @torch.no_grad()
    def fuse(self) -> None:
        """Multiplies the residuals' weights by the norm's scale, before `first` folds the norm into its own weights."""
        norm = self.first.norm
        assert isinstance(norm, nn.BatchNorm2d)
        self.noise.weight.mul_((norm.weight * (norm.running_var + norm.eps).rsqrt()).view(-1, 1, 1, 1))
