"""All tables. Importing this module fills `SQLModel.metadata`."""

from sqlmodel import SQLModel

from storage.tables.capture import CapturePolicy, LogVector, PromptTemplate, Pseudonym, SavedView
from storage.tables.datasets import Dataset, DatasetVersion, Example
from storage.tables.deployments import (
    Deployment,
    DeploymentEvent,
    Release,
    Revision,
    ServingPlace,
    ShadowPair,
    TrafficMinute,
)
from storage.tables.doubts import Doubt
from storage.tables.evaluations import Evaluation, EvaluationOutput
from storage.tables.jobs import Job, JobEvent
from storage.tables.labels import Annotation, Guideline, HumanCeiling, LabelItem, LabelTask, PreferencePair, Resolution
from storage.tables.logs import Feedback, JournalPosition, LogChange, LogEntry, LogHour, LogPosition, LogTag
from storage.tables.models import Model
from storage.tables.people import ApiKey, AuditEvent, Person, SignIn, SignInLink, Team
from storage.tables.projects import Project
from storage.tables.providers import Provider
from storage.tables.reviews import ReviewItem, ReviewPresence, ReviewSession, ReviewVote
from storage.tables.training import ComputeTarget, Rehearsal, TrainingRun
from storage.tables.turns import Turn

metadata = SQLModel.metadata

__all__ = [
    "Annotation",
    "ApiKey",
    "AuditEvent",
    "CapturePolicy",
    "ComputeTarget",
    "Dataset",
    "DatasetVersion",
    "Deployment",
    "DeploymentEvent",
    "Doubt",
    "Evaluation",
    "EvaluationOutput",
    "Example",
    "Feedback",
    "Guideline",
    "HumanCeiling",
    "Job",
    "JobEvent",
    "JournalPosition",
    "LabelItem",
    "LabelTask",
    "LogChange",
    "LogEntry",
    "LogHour",
    "LogPosition",
    "LogTag",
    "LogVector",
    "Model",
    "Person",
    "PreferencePair",
    "Project",
    "PromptTemplate",
    "Provider",
    "Pseudonym",
    "Rehearsal",
    "Release",
    "Resolution",
    "ReviewItem",
    "ReviewPresence",
    "ReviewSession",
    "ReviewVote",
    "Revision",
    "SavedView",
    "ServingPlace",
    "ShadowPair",
    "SignIn",
    "SignInLink",
    "Team",
    "TrafficMinute",
    "TrainingRun",
    "Turn",
    "metadata",
]
