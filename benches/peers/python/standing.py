"""Where Silta stands beside its peers: who is ahead, by how much, and why."""

OURS = "Silta"


def standing(what, figures, higher, why=""):
    """One line about one figure of everybody. `figures` is by name; who has none (failed, never) is behind. `why` tells what
    keeps us behind, and what it would take; it is told only if somebody is ahead."""
    ours = figures[OURS]
    others = {name: value for name, value in figures.items() if name != OURS and value is not None}
    if ours is None:
        return f"- **{what}**: Silta has no figure."
    better = {name: value for name, value in others.items() if (value > ours if higher else value < ours)}
    if not better:
        return f"- **{what}**: nobody is ahead."
    best_first = sorted(better.items(), key=lambda one: one[1], reverse=higher)
    told = "; ".join(f"{name} ({ratio(value, ours, higher)})" for name, value in best_first)
    return f"- **{what}**: ahead: {told}. {why}".rstrip()


def ratio(theirs, ours, higher):
    """How much better, as a ratio; as two figures where one of them is nothing."""
    if min(theirs, ours) <= 0:
        return f"{theirs:,.3g} against {ours:,.3g}"
    times = theirs / ours if higher else ours / theirs
    return f"{times:,.1f} times"
