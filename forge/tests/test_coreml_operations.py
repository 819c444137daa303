"""Small operations in saved programs, against the converter's own results for constants.

The programs are written in MIL and saved without the converter's passes, so their operations are
not changed. The converter folds constants with its own NumPy code; for operations that it does not
fold, the case has the expected result.
"""

import contextlib
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from inspect import Parameter
from pathlib import Path
from types import SimpleNamespace

import coremltools
import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import types
from coremltools.converters.mil.mil.ops.registry import SSAOpRegistry
from hocket_forge import coreml_layers
from hocket_forge.coreml_evaluator import evaluate
from hocket_forge.coreml_operations import OPERATIONS
from hocket_forge.coreml_program import operation_counts, read_program

TARGET = coremltools.target.iOS17
TYPES = {np.float32: types.fp32, np.float16: types.fp16, np.int32: types.int32}
# sums in another order, which may round differently in float16
TOLERANCES = {np.float32: (1e-5, 2e-6), np.float16: (1e-3, 1e-6), np.int32: (0, 0)}
FULL, COLUMN = (2, 3, 4), (3, 1)


@dataclass(frozen=True)
class Case:
    """build adds the operations for inputs of these shapes; expected is for those not folded."""

    types: str
    build: Callable
    shapes: tuple[tuple[int, ...], ...] = (FULL,)
    precisions: tuple[type, ...] = (np.float32, np.float16)
    expected: Callable | None = None


def quiet(work: Callable):
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")  # the converter warns about versions
        return work()


def several(results) -> list:
    return list(results) if isinstance(results, tuple | list) else [results]


def program(build: Callable, shapes: tuple, dtypes: tuple[type, ...]):
    """A program with the operations once for each type."""
    specs = [mb.TensorSpec(shape=s, dtype=TYPES[dtype]) for dtype in dtypes for s in shapes]

    def each(*given):
        groups = [given[at : at + len(shapes)] for at in range(0, len(given), len(shapes))]
        return tuple(result for group in groups for result in several(build(*group)))

    def one(a):
        return each(a)

    def two(a, b):
        return each(a, b)

    def four(a, b, c, d):
        return each(a, b, c, d)

    body = {1: one, 2: two, 4: four}[len(specs)]
    return mb.program(input_specs=specs, opset_version=TARGET)(body)


def save(case: Case, path: Path) -> None:
    coremltools.convert(
        program(case.build, case.shapes, case.precisions),
        convert_to="mlprogram",
        minimum_deployment_target=TARGET,
        pass_pipeline=coremltools.PassPipeline.EMPTY,
        skip_model_load=True,
    ).save(str(path))


def folded(case: Case, given: list[np.ndarray]) -> list[np.ndarray]:
    """The operations on constants; the surrounding program is needed only to write them."""
    if case.expected is not None:
        return several(case.expected(*given))
    found = []

    def build(unused):
        found.extend(several(case.build(*(mb.const(val=array) for array in given))))
        return mb.identity(x=unused)

    program(build, ((1,),), (np.float32,))
    assert all(result.val is not None for result in found), "the converter folds no such operation"
    return [np.asarray(result.val) for result in found]


def drawn(case: Case, dtype: type) -> list[np.ndarray]:
    """Quarters or integers from -4 to 4 without 0: often equal, and never a zero divisor."""
    generator = np.random.default_rng(7)
    step = 4 if dtype is np.int32 else 1
    size = [step * generator.integers(step, 17, shape) // step for shape in case.shapes]
    sign = [generator.choice([-1, 1], shape) for shape in case.shapes]
    scale = 1 if dtype is np.int32 else 4
    return [(a * b / scale).astype(dtype) for a, b in zip(size, sign, strict=True)]


def like(x, value) -> np.generic:
    """A constant with the type of x, as MIL requires."""
    return types.nptype_from_builtin(x.dtype)(value)


def shown(x):
    """Booleans and integers as floats, which are valid outputs of a model."""
    return mb.cast(x=x, dtype="fp32")


def single(*names: str, positive: bool = False, **arguments) -> list[Case]:
    def build(name):
        if positive:
            return lambda x: getattr(mb, name)(x=mb.abs(x=x), **arguments)
        return lambda x: getattr(mb, name)(x=x, **arguments)

    return [Case(f"abs {name}" if positive else name, build(name)) for name in names]


def paired(*names: str, dtypes=(np.float32, np.float16)) -> list[Case]:
    return [
        Case(name, lambda x, y, n=name: getattr(mb, n)(x=x, y=y), (FULL, COLUMN), dtypes)
        for name in names
    ]


def compared(*names: str) -> list[Case]:
    return [
        Case(f"{name} cast", lambda x, y, n=name: shown(getattr(mb, n)(x=x, y=y)), (FULL, COLUMN))
        for name in names
    ]


def logical(*names: str) -> list[Case]:
    def build(name):
        return lambda x, y: shown(
            getattr(mb, name)(x=mb.less(x=x, y=like(x, 0)), y=mb.greater(x=y, y=like(y, 1)))
        )

    return [Case(f"less greater {name} cast", build(name), (FULL, COLUMN)) for name in names]


def reduced(*names: str, **arguments) -> list[Case]:
    return [
        Case(f"reduce_{name}", lambda x, n=name: getattr(mb, f"reduce_{n}")(x=x, **arguments))
        for name in names
    ]


def chosen(name: str, dtype: str) -> Case:
    # rows of twelve out of nine whole numbers hold ties
    return Case(
        f"round {name} cast",
        lambda x: shown(getattr(mb, name)(x=mb.round(x=x), axis=-1, output_dtype=dtype)),
        ((8, 12),),
    )


def sums(exclusive: bool, backwards: bool) -> Case:
    def expected(x):
        turned = x[:, ::-1] if backwards else x
        total = np.cumsum(turned, 1, dtype=np.float32) - (turned if exclusive else 0)
        return total[:, ::-1] if backwards else total

    arguments = {"axis": 1, "exclusive": exclusive, "reverse": backwards}
    return Case("cumsum", lambda x: mb.cumsum(x=x, **arguments), expected=expected)


def sliced(**arguments) -> Case:
    return Case("slice_by_index", lambda x: mb.slice_by_index(x=x, **arguments), ((4, 5, 6),))


def gathered(indices: list, expected: Callable | None = None, **arguments) -> Case:
    return Case(
        "gather",
        lambda x: mb.gather(x=x, indices=np.array(indices, np.int32), **arguments),
        expected=expected,
    )


def padded(mode: str, *cells: int) -> Case:
    return Case(
        "pad",
        lambda x: mb.pad(x=x, pad=np.array(cells, np.int32), mode=mode, constant_val=like(x, 7)),
    )


PLACES = np.array([[[2, 0, 1, 2]] * 2] * 2, np.int32)
SCALED = {"epsilon": np.float32(0.5)}
FLOATS = [
    *single("abs", "ceil", "cos", "erf", "exp", "exp2", "floor", "gelu", "identity", "relu"),
    *single("relu6", "round", "sigmoid", "sign", "sin", "softmax", "softplus", "square"),
    *single("tanh"),
    Case("silu", lambda x: mb.silu(x=x), expected=lambda x: x / (1 + np.exp(-x))),
    *single("gelu", mode="TANH_APPROXIMATION"),
    *single("gelu", mode="SIGMOID_APPROXIMATION"),
    *single("softmax", axis=1),
    *single("leaky_relu", "elu", alpha=np.float32(0.125)),
    *single("sqrt", "log", "rsqrt", "inverse", positive=True),
    *single("log", "rsqrt", "inverse", positive=True, **SCALED),
    Case("clip", lambda x: mb.clip(x=x, alpha=like(x, -1), beta=like(x, 2))),
    *paired("add", "sub", "mul", "real_div", "maximum", "minimum", "floor_div", "mod"),
    *paired("add", "sub", "mul", "maximum", "minimum", "floor_div", "mod", dtypes=(np.int32,)),
    Case("abs pow", lambda x, y: mb.pow(x=mb.abs(x=x), y=y), (FULL, COLUMN)),
    *compared("equal", "not_equal", "greater", "less", "greater_equal", "less_equal"),
    *logical("logical_and", "logical_or", "logical_xor"),
    Case("less logical_not cast", lambda x: shown(mb.logical_not(x=mb.less(x=x, y=like(x, 0))))),
    Case("less select", lambda x, y: mb.select(cond=mb.less(x=x, y=y), a=x, b=y), (FULL, COLUMN)),
    *reduced("max", "min", "mean", "sum", "prod", "sum_square", "l2_norm", axes=[0, -1]),
    *reduced("max", "min", "mean", "sum", "log_sum_exp", axes=[1], keep_dims=True),
    *reduced("sum", "max", keep_dims=True),
    chosen("reduce_argmax", "int32"),
    chosen("reduce_argmax", "uint16"),
    chosen("reduce_argmin", "int32"),
    Case("cast cast", lambda x: shown(mb.cast(x=x, dtype="int8"))),
    Case("relu cast cast", lambda x: shown(mb.cast(x=mb.relu(x=x), dtype="bool"))),
    *(sums(exclusive, backwards) for exclusive in (False, True) for backwards in (False, True)),
]
MOVES = [
    Case("shape", lambda x: mb.shape(x=x)),
    Case("shape fill", lambda x: mb.fill(shape=mb.shape(x=x), value=like(x, 3))),
    Case(
        "reduce_max range_1d",
        lambda x: mb.range_1d(start=like(x, -2), end=mb.reduce_max(x=x), step=like(x, 0.5)),
        expected=lambda x: np.arange(-2, x.max(), 0.5),
    ),
    Case(
        "round cast one_hot",
        lambda x: mb.one_hot(
            indices=mb.cast(x=mb.round(x=x), dtype="int32"),
            one_hot_vector_size=np.int32(3),
            axis=1,
            on_value=np.float32(5),
            off_value=np.float32(-1),
        ),
        expected=lambda x: np.where(np.round(x)[:, None] == np.arange(3)[:, None, None], 5, -1),
    ),
    Case("reshape", lambda x: mb.reshape(x=x, shape=np.array([3, -1], np.int32))),
    Case("reshape", lambda x: mb.reshape(x=x, shape=np.array([1, 0, -1, 0], np.int32))),
    Case("expand_dims", lambda x: mb.expand_dims(x=x, axes=np.array([0, -2], np.int32))),
    Case("squeeze", lambda x: mb.squeeze(x=x, axes=np.array([-1, 0], np.int32)), ((1, 3, 1, 1),)),
    Case("transpose", lambda x: mb.transpose(x=x, perm=np.array([-1, 0, 1], np.int32))),
    Case("reverse", lambda x: mb.reverse(x=x, axes=np.array([0, -1], np.int32))),
    Case("tile", lambda x: mb.tile(x=x, reps=np.array([2, 1, 3], np.int32))),
    Case("concat", lambda x, y: mb.concat(values=(x, y, x), axis=-2), (FULL, (2, 1, 4))),
    Case(
        "concat",
        lambda x, y: mb.concat(values=(x, y), axis=1, interleave=True),
        (FULL, FULL),
        expected=lambda x, y: np.stack([x, y], 2).reshape(2, 6, 4),
    ),
    Case("stack", lambda x, y: mb.stack(values=(x, y), axis=-1), (FULL, FULL)),
    Case("split", lambda x: mb.split(x=x, num_splits=2, axis=-1)),
    Case("split", lambda x: mb.split(x=x, split_sizes=np.array([1, 3], np.int32), axis=2)),
    sliced(begin=[1, 0, 2], end=[3, 5, 6], stride=[1, 2, 3]),
    sliced(begin=[-3, 4, 0], end=[-1, 0, 6], stride=[1, -2, 1]),
    sliced(begin=[9] * 3, end=[1, 2, 9], begin_mask=[True] * 3, end_mask=[False, False, True]),
    sliced(begin=[1, -2, 0], end=[9] * 3, squeeze_mask=[True, True, False], end_mask=[True] * 3),
    sliced(
        begin=[0] * 3, end=[0] * 3, stride=[-1, 1, -2], begin_mask=[True] * 3, end_mask=[True] * 3
    ),
    Case(
        "slice_by_size",
        lambda x: mb.slice_by_size(x=x, begin=np.array([1, -2, 0]), size=np.array([1, 2, -1])),
    ),
    gathered([[2, 0], [1, 1]], axis=1),
    gathered([3, 0], axis=-1),
    gathered([1], axis=0),
    gathered(
        [[2, 0], [1, 1]],
        lambda x: np.stack([x[0][[2, 0]], x[1][[1, 1]]]),
        axis=1,
        batch_dims=1,
    ),
    Case("gather_along_axis", lambda x: mb.gather_along_axis(x=x, indices=PLACES, axis=1)),
    padded("constant", 1, 2),
    padded("constant", 0, 1, 2, 0, 1, 1),
    padded("reflect", 1, 2, 3, 0),
    padded("replicate", 2, 0, 0, 3, 4, 1),
]
CASES = FLOATS + MOVES


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.types.replace(" ", "-"))
def test_operations_compute_what_the_converter_folds(case: Case, tmp_path: Path) -> None:
    quiet(lambda: save(case, tmp_path / "one.mlpackage"))
    read = read_program(tmp_path / "one.mlpackage")
    assert set(operation_counts(read)) == set(case.types.split())
    given = [array for dtype in case.precisions for array in drawn(case, dtype)]
    assert [str(array.dtype) for array in given] == [feature.dtype for feature in read.inputs]
    names = [feature.name for feature in read.inputs]
    found = evaluate(read, dict(zip(names, given, strict=True)))
    results = iter(found[feature.name] for feature in read.outputs)
    for dtype in case.precisions:
        # in float32, because NumPy adds float16 with float16 sums
        exact = np.float32 if dtype is np.float16 else dtype
        expected = quiet(
            lambda d=dtype, e=exact: folded(case, [a.astype(e) for a in drawn(case, d)])
        )
        for reference in expected:
            agree(next(results), reference, *TOLERANCES[dtype])
    assert next(results, None) is None


def agree(result: np.ndarray, reference: np.ndarray, relative: float, absolute: float) -> None:
    assert result.shape == reference.shape
    reference = reference.astype(result.dtype).astype(np.float64)
    np.testing.assert_allclose(result.astype(np.float64), reference, relative, absolute)


def test_every_small_operation_has_a_case() -> None:
    tested = {name for case in CASES for name in case.types.split()}
    layers = {
        n for n, known in OPERATIONS.items() if known.run.__module__ == coreml_layers.__name__
    }
    assert tested == set(OPERATIONS) - layers - {n for n in OPERATIONS if n.startswith("constexpr")}


# not supported: MIL does not define where they apply in the recurrence
LEFT_OUT = {"lstm": {"clip", "peephole", "peephole_back"}}


@pytest.mark.parametrize("name", OPERATIONS)
def test_arguments_types_and_defaults_are_those_of_the_definition(name: str) -> None:
    versions = SSAOpRegistry.core_ops[name]
    definition = versions[max(version for version in versions if version <= TARGET)]
    known = OPERATIONS[name]
    theirs = definition.input_spec.input_types
    mine = {name: p for name, p in known.parameters.items() if name != "precision"}
    assert set(mine) == set(theirs) - LEFT_OUT.get(name, set())
    required = {name for name, p in mine.items() if p.default is Parameter.empty}
    assert required == {name for name, kind in theirs.items() if not kind.optional}
    operation = definition.__new__(definition)
    operation.x = operation.weight = SimpleNamespace(dtype=types.fp32, rank=3, shape=(2, 3, 4))
    for argument, default in operation.default_inputs().items():
        if mine.get(argument) is not None and mine[argument].default is not None:
            assert mine[argument].default == default
        else:  # as many ones, zeros or axes as the rank asks for
            assert default is None or len(default) > 0
    for kind in (theirs[argument] for argument in known.alike):
        if getattr(kind, "type_domain_id", None):
            names = map(types.builtin_to_string, definition.type_domains[kind.type_domain_id])
            allowed = {{"fp16": "float16", "fp32": "float32"}.get(n, n) for n in names}
            assert known.domain <= allowed
