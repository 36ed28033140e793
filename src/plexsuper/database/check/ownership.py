"""Turns the survey of pages into findings: pages shared, unreadable, lost or wrongly listed as free."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from plexsuper.database.btree.freelist import FREE, LOCK, POINTER_MAP, Complain
from plexsuper.database.check.report import Damage, Finding, Kind
from plexsuper.database.check.survey import FIRST_TREE, Survey
from plexsuper.database.schema import Schema

_MOST = 20
SCHEMA_TREE = "sqlite_schema"


@dataclass(slots=True)
class Ownership:
    """The survey together with the names of its owners."""

    survey: Survey
    names: dict[int, str] = field(default_factory=dict)
    kinds: dict[int, Kind] = field(default_factory=dict)
    entries: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def owners(self, pages: Iterable[int]) -> set[str]:
        """The names of the trees that own *pages*."""
        owner = self.survey.owner
        return {
            self.names[owner[page]] for page in pages if 0 < page < len(owner) and owner[page] >= FIRST_TREE
        }

    def count_findings(self, schema: Schema) -> Iterator[Finding]:
        """Every index must have as many entries as its table has rows."""
        for table in schema.tables.values():
            for index in table.indexes:
                wanted, got = self.entries[table.name], self.entries[index.name]
                if got != wanted and not index.partial and not table.without_rowid:
                    message = f"wrong # of entries in index {index.name}: {got} for {wanted} rows"
                    yield Finding(index.name, "index", "index", message)


def judge_ownership(survey: Survey, schema: Schema) -> Ownership:
    """Claim all pages of *survey* for the trees of *schema*, the free page list and the lock page."""
    result = Ownership(survey, {FREE: "free page list", LOCK: "lock page", POINTER_MAP: "pointer map"})
    trees: list[tuple[str, Kind, int]] = [(SCHEMA_TREE, "schema", 1)]
    for table in schema.tables.values():
        trees.append((table.name, "table", table.root))
        trees += [(index.name, "index", index.root) for index in table.indexes]
    clustered = {
        table.name for table in schema.tables.values() if table.without_rowid
    }  # these are index trees
    for tree, (name, kind, root) in enumerate(trees, FIRST_TREE):
        result.names[tree], result.kinds[tree] = name, kind
        damage: Damage = "index" if kind == "index" else "data"
        faults: list[tuple[int, str]] = []
        result.entries[name] = survey.claim_tree(
            tree, root, _collect(faults), table=kind != "index" and name not in clustered
        )
        _report(result, name, kind, damage, faults)
    faults = []
    survey.claim_freelist(_collect(faults))
    _report(result, "free page list", "freelist", "structure", faults)
    # Below an unreadable page hang pages that nothing refers to any more: that is no fault of the list
    if not result.findings and (unused := survey.unused()):
        message = f"{len(unused)} pages belong to nothing: {_listed(unused)}"
        result.findings.append(
            Finding("free page list", "freelist", "structure", message, tuple(unused[:_MOST]))
        )
    return result


def _collect(faults: list[tuple[int, str]]) -> Complain:
    return lambda page, what: faults.append((page, what))


def _report(result: Ownership, name: str, kind: Kind, damage: Damage, faults: list[tuple[int, str]]) -> None:
    owner = result.survey.owner
    for page, what in faults[:_MOST]:
        message = what
        if what.endswith("used twice") and page < len(owner) and owner[page] in result.names:
            other = owner[page]
            message = f"{what}: by {name} and by {result.names[other]}"
            if other in result.kinds:  # either may be the wrong one
                twin = result.kinds[other]
                harm: Damage = "index" if twin == "index" else "data"
                result.findings.append(Finding(result.names[other], twin, harm, message, (page,)))
        result.findings.append(Finding(name, kind, damage, message, (page,)))


def _listed(pages: list[int]) -> str:
    more = "" if len(pages) <= _MOST else ", …"
    return ", ".join(map(str, pages[:_MOST])) + more
