"""ACT: call lists, what came of them, and safe files for people; playbooks, campaigns and tasks."""

from kequn.act.call_candidates import CallRequest, CallTables, Reach
from kequn.act.call_list import Call, CallList, Widening, call_list, call_rows
from kequn.act.call_words import Playbooks, call_titles, sentence
from kequn.act.export import safe_cell, write_rows
from kequn.act.outcomes import (
    RESULTS,
    Outcome,
    forget_outcomes,
    outcomes_by_list,
    read_filled,
    read_outcomes,
    record_outcomes,
    result_named,
)

__all__ = [
    "RESULTS",
    "Call",
    "CallList",
    "CallRequest",
    "CallTables",
    "Outcome",
    "Playbooks",
    "Reach",
    "Widening",
    "call_list",
    "call_rows",
    "call_titles",
    "forget_outcomes",
    "outcomes_by_list",
    "read_filled",
    "read_outcomes",
    "record_outcomes",
    "result_named",
    "safe_cell",
    "sentence",
    "write_rows",
]
