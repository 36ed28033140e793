"""Repairs a damaged library database: on a copy, step by step, and only a copy that passes the check replaces it."""

from plexsuper.database.repair.ladder import repair_database
from plexsuper.database.repair.report import RepairReport, TableRepair

__all__ = ["RepairReport", "TableRepair", "repair_database"]
