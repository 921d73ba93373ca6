# SPDX-License-Identifier: Apache-2.0
"""Schedules of operators for CPUs: one pattern with a handful of numbers, which tvm_tuning measures.

An operator is at most one reduction (convolution, matrix product, pooling) with what is fused before and after it.
The last axis of the result (channels, in the layout that tvm_graph makes) is computed in vectors, and a tile of
`rows` x `vectors` of them is kept in registers over the whole reduction. Tiles are shared out to the threads.
"""

from tvm.ir import IRModule, load_json, save_json
from tvm.s_tir import Schedule
from tvm_instructions import NAMES
from tvm.tirx.transform import ForceNarrowIndexToInt32
from tvm_quantized import DOT, SHIFT

VERSION = 1
SPATIAL, REDUCTION = 0, 2
SERIAL_WORK = 2_000_000  # Below, one thread may be quicker than several that must meet.


class Machine:
    """What schedules need to know of the target."""

    def __init__(self, lanes, registers, threads):
        self.lanes = lanes  # Of float32 in a vector register.
        self.registers = registers
        self.threads = threads


class Operator:
    """The facts of a function that decide its schedule."""

    def __init__(self, func):
        self.func = func
        schedule = schedule_of(func)
        blocks = schedule.get_child_blocks(schedule.get_sblock("root"))
        self.names = [schedule.get(b).name_hint for b in blocks]
        kinds = [[int(iv.iter_type) for iv in schedule.get(b).iter_vars] for b in blocks]
        self.reductions = [i for i, kind in enumerate(kinds) if REDUCTION in kind]
        anchor = self.reductions[0] if len(self.reductions) == 1 else len(blocks) - 1
        self.anchor = anchor
        block = blocks[anchor]
        extents = [int(schedule.get(loop).extent) for loop in schedule.get_loops(block)]
        self.spatial = [e for e, k in zip(extents, kinds[anchor]) if k == SPATIAL]
        self.reduced = [e for e, k in zip(extents, kinds[anchor]) if k == REDUCTION]
        self.direct = len(extents) == len(kinds[anchor]) and kinds[anchor] == sorted(kinds[anchor])
        self.dot = self.names[anchor].startswith(DOT)
        self.padded = [
            n
            for i, n in enumerate(self.names[:anchor])
            if _has_condition(schedule, blocks[i]) or n.startswith(SHIFT)
        ]
        self.outputs = int(schedule.get(blocks[-1]).writes[0].source.shape[-1])
        if self.dot:
            # One row of pixels after the other, where a pixel is made of one pixel.
            read = [int(e) for e in schedule.get(block).reads[0].source.shape]
            self.fusable = self.reduced[:2] == [1, 1] and read[:3] == self.spatial[:3]
        else:
            self.fusable = self.direct and not self.padded and self._rows_are_alike(schedule, block)

    def _rows_are_alike(self, schedule, block):
        """Whether all axes but the last can be one: a 1x1 convolution, a matrix product."""
        if sum(e > 1 for e in self.reduced) > 1:
            return False
        node = schedule.get(block)
        out = [int(e) for e in node.writes[0].source.shape]
        reads = [[int(e) for e in r.source.shape] for r in node.reads]
        reads = [r for r in reads if r != out] or reads
        if not reads or reads[0][:-1] != out[:-1]:
            return False
        rows = 1
        for extent in out[:-1]:
            rows *= extent
        # Weights that differ between rows, as of a batch of matrix products.
        return all(len(r) < 3 or all(e == 1 for e in r[:-2]) for r in reads[1:]) or rows == 1

    @property
    def work(self):
        """Turns of the reduction's loops."""
        turns = 1
        for extent in (*self.spatial, *self.reduced):
            turns *= extent
        return turns

    @property
    def places(self):
        """The axes above the channels."""
        return self.spatial[:-2] if self.dot else self.spatial[:-1]

    @property
    def rows(self):
        if not self.fusable:
            return self.places[-1] if self.places else 1
        rows = 1
        for extent in self.places:
            rows *= extent
        return rows


def schedule_of(func, narrow=False):
    # Schedules change what they are given, even where others hold it.
    copy = load_json(save_json(func))
    module = IRModule({"main": copy.with_attr("global_symbol", "main")})
    # TVM cannot put instructions into functions with indices of 64 bits.
    return Schedule(ForceNarrowIndexToInt32()(module) if narrow else module)


def _has_condition(schedule, block):
    return "if_then_else" in str(schedule.get(block).body)


def _divisors(number, most):
    return [d for d in range(1, min(number, most) + 1) if number % d == 0]


def _lanes(channels, machine):
    """Widths of a vector, best first."""
    widths = [w for w in (machine.lanes, machine.lanes // 2, machine.lanes // 4) if w > 1 and channels % w == 0]
    return widths or [1]


def _tiles(operator, machine):
    """(lanes, rows, vectors) whose accumulators fit the registers, most arithmetic a load first."""
    found = []
    if operator.dot:
        choices = [(operator.spatial[-1], operator.spatial[-2])]
    else:
        choices = [(lanes, operator.spatial[-1] // lanes) for lanes in _lanes(operator.spatial[-1], machine)[:2]]
    for lanes, channels in choices:
        for rows in _divisors(operator.rows, 32):
            # TVM gives wrong code for a tile that begins or ends inside a row of the image.
            width = operator.places[-1] if operator.places else 1
            if width % rows and rows % width:
                continue
            for vectors in _divisors(channels, 16):
                if operator.dot and operator.outputs % lanes and vectors != channels:
                    continue
                if rows * vectors > machine.registers - 2:
                    continue
                intensity = rows * vectors / (rows + vectors) * lanes
                found.append((-intensity, lanes, rows, vectors))
    return [tile[1:] for tile in sorted(found)]


def first_round(operator, machine):
    """Configurations to measure first, the most promising at the front."""
    if not operator.reductions or len(operator.reductions) > 1 or not operator.direct:
        return _plain(operator, machine)
    tiles = _tiles(operator, machine)
    pad = "none" if not operator.padded else "before" if operator.dot else "inside"
    base = {"pad": pad, "block": 0, "channels_first": True}
    if operator.padded or not operator.fusable:
        base["block"] = 1
    kind = "dot" if operator.dot else "tile"
    return [dict(base, kind=kind, lanes=t[0], rows=t[1], vectors=t[2]) for t in tiles]


def second_round(operator, machine, best):
    """Variations of the best of the first round."""
    if best["kind"] not in ("tile", "dot"):
        return []
    found = []
    height = operator.places[-2] if len(operator.places) > 1 else 1
    if operator.fusable:
        blocks = _divisors(operator.rows // best["rows"], 1 << 20)
        blocks = [b for b in blocks if b in _near(blocks, machine.threads)]
    else:
        blocks = [b for b in _divisors(height, 64) if b <= max(1, height)]
    for block in blocks:
        for channels_first in (True, False):
            for pad in _pads(operator):
                found.append(dict(best, block=block, channels_first=channels_first, pad=pad))
    last = operator.reduced[-2] if operator.dot else operator.reduced[-1]
    more = [dict(best, unroll=u) for u in (2, 4) if last % u == 0]
    if operator.work < SERIAL_WORK:
        more.insert(0, dict(best, serial=True))
    return more + found


def _pads(operator):
    """Where the steps before the reduction may be done."""
    if not operator.padded:
        return ("none",)
    return ("before", "inside") if operator.dot else ("inside", "inline", "before")


def _near(blocks, threads):
    """At most six of the divisors, spread evenly: few large pieces of work to many small ones."""
    if len(blocks) <= 6:
        return blocks
    return [blocks[i * (len(blocks) - 1) // 5] for i in range(6)]


def _plain(operator, machine):
    """Of operators without a reduction, or of a form that is not known here."""
    found = []
    if not operator.reductions:
        found += [{"kind": "map", "lanes": w} for w in (machine.lanes, machine.lanes // 2, 1)]
    return found + [{"kind": "rows"}, {"kind": "none"}]


def apply(func, config):
    """The scheduled module. Raises what TVM raises where the configuration does not fit."""
    operator = Operator(func)
    schedule = schedule_of(func, narrow=operator.dot)
    kind = config["kind"]
    if kind == "tile":
        _tile(schedule, operator, config)
    elif kind == "dot":
        _dot(schedule, operator, config)
    elif kind == "map":
        _map(schedule, operator, config)
    elif kind == "rows":
        _rows(schedule, operator)
    return schedule.mod


def _tile(schedule, operator, config):
    anchor = schedule.get_sblock(operator.names[operator.anchor])
    out = _inline_around(schedule, operator)
    loops = schedule.get_loops(anchor)
    spatial, reduced = loops[: len(operator.spatial)], loops[len(operator.spatial) :]
    lanes, rows, vectors = config["lanes"], config["rows"], config["vectors"]
    outer, block, inner = _split_rows(schedule, operator, spatial[:-1], spatial[-1], rows, config["block"])
    channel, vector, lane = schedule.split(spatial[-1], [None, vectors, lanes])
    shared = [*outer, channel] if config["channels_first"] else outer
    middle = block if config["channels_first"] else [*block, channel]
    unroll = config.get("unroll", 1)
    if unroll > 1:
        reduced = [*reduced[:-1], *schedule.split(reduced[-1], [None, unroll])]
        schedule.unroll(reduced[-1])
    schedule.reorder(*shared, *middle, *reduced, inner, vector, lane)
    parallel = schedule.fuse(*shared) if len(shared) > 1 else shared[0]
    if not config.get("serial"):
        schedule.parallel(parallel)
    schedule.vectorize(lane)
    schedule.unroll(vector)
    schedule.unroll(inner)
    for loop, extent in zip(reduced, operator.reduced):
        if extent <= 4 and len(reduced) > 1:
            schedule.unroll(loop)
    _place_pads(schedule, operator, config, parallel, lanes)
    if out is not None:
        schedule.reverse_compute_at(out, middle[-1] if middle else parallel, preserve_unit_loops=True)
        last = schedule.get_loops(out)
        vector, lane = schedule.split(last[-1], [None, lanes])
        schedule.vectorize(lane)
        schedule.unroll(vector)
        if len(operator.spatial) > 1:
            schedule.unroll(last[-2])
    schedule.decompose_reduction(anchor, reduced[0])


def _split_rows(schedule, operator, places, channels, rows, block):
    """The axes above the channels as (shared out, done in turn, kept in registers)."""
    if not places:
        unit = schedule.add_unit_loop(channels)
        return [unit], [], schedule.add_unit_loop(channels)
    if operator.fusable:
        row = schedule.fuse(*places) if len(places) > 1 else places[0]
        outer, middle, inner = schedule.split(row, [None, block if block > 0 else 1, rows])
        return [outer], [middle], inner
    row, inner = schedule.split(places[-1], [None, rows])
    if len(places) == 1:
        return [row], [], inner
    high, low = schedule.split(places[-2], [None, max(1, block)])
    return [*places[:-2], high], [low, row], inner


def _dot(schedule, operator, config):
    """As _tile, with an instruction for the innermost channels and products."""
    anchor = schedule.get_sblock(operator.names[operator.anchor])
    out = _inline_around(schedule, operator)
    loops = schedule.get_loops(anchor)
    lanes = config["lanes"]
    places, channels, lane = loops[:3], loops[3], loops[4]
    reduced, products = list(loops[5:8]), loops[8]
    outer, block, inner = _split_rows(schedule, operator, places, channels, config["rows"], config["block"])
    channel, vector = schedule.split(channels, [None, config["vectors"]])
    shared = [*outer, channel] if config["channels_first"] else outer
    middle = block if config["channels_first"] else [*block, channel]
    if config.get("unroll", 1) > 1:
        reduced = [*reduced[:-1], *schedule.split(reduced[-1], [None, config["unroll"]])]
        schedule.unroll(reduced[-1])
    schedule.reorder(*shared, *middle, *reduced, inner, vector, lane, products)
    parallel = schedule.fuse(*shared) if len(shared) > 1 else shared[0]
    if not config.get("serial"):
        schedule.parallel(parallel)
    schedule.unroll(vector)
    schedule.unroll(inner)
    _place_pads(schedule, operator, config, parallel, lanes)
    if out is not None:
        schedule.reverse_compute_at(out, middle[-1] if middle else parallel, preserve_unit_loops=True)
        last = schedule.get_loops(out)
        width = lanes if operator.outputs % lanes == 0 else operator.outputs
        group, part = schedule.split(last[-1], [None, width if width <= 16 else 8])
        schedule.vectorize(part)
        schedule.unroll(group)
        schedule.unroll(last[-2])
    start = schedule.decompose_reduction(anchor, reduced[0])
    schedule.vectorize(schedule.get_loops(start)[-1])
    schedule.tensorize(lane, NAMES[lanes, operator.reduced[-1]])


def _inline_around(schedule, operator):
    """Copies before the reduction and steps after it disappear; returns the block that writes the result."""
    for name in operator.names[: operator.anchor]:
        if name not in operator.padded:
            schedule.compute_inline(schedule.get_sblock(name))
    after = operator.names[operator.anchor + 1 :]
    for name in after[:-1]:
        schedule.compute_inline(schedule.get_sblock(name))
    return schedule.get_sblock(after[-1]) if after else None


def _place_pads(schedule, operator, config, parallel, lanes):
    for name in operator.padded:
        pad = schedule.get_sblock(name)
        if config["pad"] == "inline":
            schedule.compute_inline(pad)
            continue
        if config["pad"] == "inside":
            schedule.compute_at(pad, parallel, preserve_unit_loops=True)
        loops = schedule.get_loops(pad)
        width = int(schedule.get(loops[-1]).extent)
        if width % lanes == 0 and lanes > 1:
            schedule.vectorize(schedule.split(loops[-1], [None, lanes])[1])
        if config["pad"] == "before":
            schedule.parallel(schedule.fuse(*loops[:2]) if len(loops) > 2 else loops[0])


def _map(schedule, operator, config):
    for name in operator.names[:-1]:
        schedule.compute_inline(schedule.get_sblock(name))
    loops = schedule.get_loops(schedule.get_sblock(operator.names[-1]))
    extent = int(schedule.get(loops[-1]).extent)
    lanes = config["lanes"]
    if len(loops) == 1 and extent < 4096:
        if extent % lanes == 0 and lanes > 1:
            schedule.vectorize(schedule.split(loops[-1], [None, lanes])[1])
        return
    if lanes > 1:
        if extent % lanes:
            raise ValueError("the last axis is not a multiple of the vector")
        outer, lane = schedule.split(loops[-1], [None, lanes])
        schedule.vectorize(lane)
        loops = [*loops[:-1], outer]
    elif len(loops) > 1:
        loops = loops[:-1]
    schedule.parallel(schedule.fuse(*loops) if len(loops) > 1 else loops[0])


def _rows(schedule, operator):
    """The outermost axes of each step in parallel: safe for every form."""
    for name in operator.names:
        block = schedule.get_sblock(name)
        kinds = [int(iv.iter_type) for iv in schedule.get(block).iter_vars]
        loops = schedule.get_loops(block)
        leading = []
        for loop, kind in zip(loops, kinds):
            if kind != SPATIAL:
                break
            leading.append(loop)
        if not leading:
            continue
        if len(leading) == len(loops) and len(leading) > 1:
            leading = leading[:-1]
        schedule.parallel(schedule.fuse(*leading) if len(leading) > 1 else leading[0])
