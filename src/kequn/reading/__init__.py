"""What readers ask of a published snapshot: overview, schemes, segments, one customer, members for export.

The command line, the report and the workbench ask the same functions, so they give the same answers.
"""

from kequn.reading.customer import customer_card, find_customer
from kequn.reading.groups import found_groups
from kequn.reading.members import Target, members_query, parse_target
from kequn.reading.overview import overview, scheme_overview, segment_portrait

__all__ = [
    "Target",
    "customer_card",
    "find_customer",
    "found_groups",
    "members_query",
    "overview",
    "parse_target",
    "scheme_overview",
    "segment_portrait",
]
