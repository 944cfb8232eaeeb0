"""The messages of the study file reference, character by character."""

from __future__ import annotations

import pytest

from dse.config.problems import problem_at

FOLD = "fold: balanced             # one rate for all layers; `free`: each its own"
LAYERS = FOLD + "\n  layers:\n"

REFERENCE = {
    "unknown knob": (
        "  weight_bits",
        "  weight_bit",
        """\
study.yaml:11:3: error[unknown-key]: unknown key 'weight_bit' in space
  11 |   weight_bit: [2, 4, 8]
     |   ^^^^^^^^^^ did you mean 'weight_bits'?
     = space takes: weight_bits, activation_bits, sparsity, block, fold, pe, simd, memory, ...""",
    ),
    "unknown and missing at once": (
        "objectives:",
        "objective:",
        """\
study.yaml:17:1: error[unknown-key]: unknown key 'objective' in the study file
  17 | objective:
     | ^^^^^^^^^ did you mean 'objectives'?""",
    ),
    "unknown board": (
        "Pynq-Z1",
        "Pynq-Z3",
        """\
study.yaml:7:8: error[unknown-board]: unknown board 'Pynq-Z3'
   7 | board: Pynq-Z3
     |        ^^^^^^^ did you mean Pynq-Z2 or Pynq-Z1?
     = `dse boards` lists them; `board: {part: xc7z020clg400-1, ...}` adds one""",
    ),
    "clock without unit": (
        "100 MHz",
        "100",
        """\
study.yaml:8:8: error[needs-unit]: clock '100' has no unit
   8 | clock: 100
     |        ^^^ write '100 MHz', or a period such as '5 ns'""",
    ),
    "percent as a fraction": (
        "max: 0.9",
        "max: 90",
        """\
study.yaml:13:29: error[out-of-range]: sparsity is a fraction from 0 to below 1, not 90
  13 |   sparsity: {min: 0.0, max: 90, step: 0.1}
     |                             ^^ write 0.9 for 90 %""",
    ),
    "empty range": (
        "min: 0.0, max: 0.9",
        "min: 0.9, max: 0.5",
        """\
study.yaml:13:29: error[empty-range]: sparsity: max 0.5 is below min 0.9
  13 |   sparsity: {min: 0.9, max: 0.5, step: 0.1}
     |                             ^^^ no value is left to search""",
    ),
    # the reference's note promises floating point layers, which cannot be built
    "too many bits": (
        "[2, 4, 8]",
        "[2, 4, 32]",
        """\
study.yaml:11:23: error[out-of-range]: weight_bits takes whole numbers from 1 to 8, not 32
  11 |   weight_bits: [2, 4, 32]
     |                       ^^
     = 8 bits are the widest that is built""",
    ),
    # without the metrics that are not supported yet
    "unknown metric": (
        "latency: minimize",
        "latencey: minimise",
        """\
study.yaml:19:3: error[unknown-metric]: unknown metric 'latencey'
  19 |   latencey: minimise
     |   ^^^^^^^^ did you mean 'latency'?
     = metrics: accuracy, latency, throughput, energy, power, lut, ff, bram18, uram, dsp, model_size,
       utilisation""",
    ),
    "two constraints": (
        "lut <= 70 %\n  - bram <= 80 %",
        "lut <= 70 kB\n  - latency <= 2",
        """\
study.yaml:24:15: error[bad-unit]: 'kB' is not a unit of lut
  24 |   - lut <= 70 kB
     |               ^^ lut is a count (40000 or 40 k) or a share of the board (70 %)
study.yaml:25:16: error[needs-unit]: latency needs a unit of time
  25 |   - latency <= 2
     |                ^ write '2 ms' or '2 us'""",
    ),
    "two of the budget": (
        "trials: 200\n  time: 15 min",
        "trails: 200\n  time: 0:15:00",
        """\
study.yaml:29:3: error[unknown-key]: unknown key 'trails' in budget
  29 |   trails: 200
     |   ^^^^^^ did you mean 'trials'?
     = budget takes: trials, time, patience, failures
study.yaml:30:9: error[needs-unit]: time '0:15:00' has no unit
  30 |   time: 0:15:00
     |         ^^^^^^^ write '15 min', '2 h' or '3 d'""",
    ),
    "sampler": (
        "budget:",
        "sampler: cmaes\nbudget:",
        """\
study.yaml:28:10: error[bad-sampler]: sampler 'cmaes' cannot search three objectives
  28 | sampler: cmaes
     |          ^^^^^
     = samplers here: auto, nsga2, nsga3, tpe, gp, random, qmc""",
    ),
    "duplicate key": (
        "clock: 100 MHz\n",
        "clock: 100 MHz\nclock: 150 MHz\n",
        """\
study.yaml:9:1: error[duplicate-key]: key 'clock' appears twice in the study file
   9 | clock: 150 MHz
     | ^^^^^ first set on line 8""",
    ),
    "tab": (
        "  weight_bits",
        "\tweight_bits",
        """\
study.yaml:11:1: error[yaml]: a tab character is used for indentation
  11 | \tweight_bits: [2, 4, 8]
     | ^
     = YAML needs spaces here; use two per level""",
    ),
    "star": (
        FOLD,
        LAYERS + "    - match: *dw\n      weight_bits: [8]",
        """\
study.yaml:17:14: error[yaml]: a value that starts with * must be quoted
  17 |     - match: *dw
     |              ^
     = write  match: '*dw'  (an unquoted * starts a YAML alias)""",
    ),
    "secret": (
        "budget:",
        "storage: postgresql://dse:hunter2@db.lab/dse\nbudget:",
        """\
study.yaml:28:27: error[secret-in-file]: the storage URL holds a password
  28 | storage: postgresql://dse:*******@db.lab/dse
     |                           ^^^^^^^ put it in DSE_STORAGE_PASSWORD, and leave it out here""",
    ),
}


@pytest.mark.parametrize("name", REFERENCE)
def test_message_of_the_reference(name, quick_start, errors) -> None:
    old, new, expected = REFERENCE[name]
    assert errors(quick_start.replace(old, new, 1)) == expected


def test_problem_at_a_list_item(quick_start, load) -> None:
    config = load(quick_start.replace(FOLD, "pe: [1, 3, 4]"))
    error = problem_at(
        config,
        "space.pe[1]",
        "no-divisor",
        "pe 3 does not divide the 16 output channels of layer 'conv1' (and 4 more)",
        notes=(
            "allowed for it: 1, 2, 4, 8, 16",
            "`fold: balanced` or `pe: divisors` picks legal values per layer",
        ),
    )
    assert (
        str(error)
        == """\
study.yaml:15:11: error[no-divisor]: pe 3 does not divide the 16 output channels of layer 'conv1' (and 4 more)
  15 |   pe: [1, 3, 4]
     |           ^
     = allowed for it: 1, 2, 4, 8, 16
     = `fold: balanced` or `pe: divisors` picks legal values per layer"""
    )


def test_problem_at_a_pattern(quick_start, load) -> None:
    config = load(quick_start.replace(FOLD, LAYERS + "    - {match: con1, weight_bits: [8]}"))
    error = problem_at(
        config,
        "space.layers[0].match",
        "no-match",
        "'con1' matches none of the 5 layers of the model",
        "did you mean conv1 or conv3 or conv2?",
        ["layers: conv1, conv2, conv3, fc1, fc2"],
    )
    assert (
        str(error)
        == """\
study.yaml:17:15: error[no-match]: 'con1' matches none of the 5 layers of the model
  17 |     - {match: con1, weight_bits: [8]}
     |               ^^^^ did you mean conv1 or conv3 or conv2?
     = layers: conv1, conv2, conv3, fc1, fc2"""
    )


def test_problem_at_a_constraint(quick_start, load) -> None:
    config = load(quick_start.replace("lut <= 70 %", "lut <= 20 %"))
    error = problem_at(
        config,
        "constraints[1]",
        "nothing-fits",
        "no design in this space meets 'lut <= 20 %'",
        "the smallest design needs 14,210 LUT, the limit is 10,640",
        ["most of it: fc1 (41 %). Try fewer weight_bits or more sparsity"],
    )
    assert (
        str(error)
        == """\
study.yaml:24:5: error[nothing-fits]: no design in this space meets 'lut <= 20 %'
  24 |   - lut <= 20 %
     |     ^^^^^^^^^^^ the smallest design needs 14,210 LUT, the limit is 10,640
     = most of it: fc1 (41 %). Try fewer weight_bits or more sparsity"""
    )


def test_problem_at_what_the_file_does_not_mention(quick_start, load) -> None:
    error = problem_at(load(quick_start), "space.simd[0]", "x", "y")
    assert str(error).splitlines()[:2] == ["study.yaml:10:1: error[x]: y", "  10 | space:"]


def test_problem_at_an_override(quick_start, load) -> None:
    config = load(quick_start, "space.pe=[1, 3]")
    error = problem_at(config, "space.pe[1]", "no-divisor", "pe 3 divides nothing", "try 2")
    assert (
        str(error)
        == """\
--set space.pe=...:1:14: error[no-divisor]: pe 3 divides nothing
   1 | space.pe=[1, 3]
     |              ^ try 2"""
    )
