"""A study on disk: open, create, append, read. One driver writes, anybody may read.

The folder of a study:

    study.yaml       the file the user ran, byte for byte
    study.json       format, writer, what the study was made from
    journal.log      Optuna's journal: one finished trial per record (or a database, by URL)
    driver.json      what was in flight, how often a design was proposed again, seconds spent
    model.onnx       what a function of the study file returned, where the model is one
    base.npz         the float network that every candidate starts from
    finals.jsonl     designs trained at full budget, one per line
    milestones.jsonl starts and resumes, other samplers and cost models, one per line
    synthesised.jsonl, synthesised/*/
                     designs that were synthesised, one per line, and their projects
    cost_model.json  the cost model, corrected by them
    weights/*.npz    their integer networks, by compression digest
    driver.lock      held by the driver
    report.html
"""

from dse.store.attributes import RECORD, lost
from dse.store.files import write_atomic
from dse.store.folder import FORMAT, MODEL, DriverState, Store
from dse.store.trials import Trials

__all__ = ["FORMAT", "MODEL", "RECORD", "DriverState", "Store", "Trials", "lost", "write_atomic"]
