"""Privacy: what each project writes down of its calls, a preview of it, and what stands behind a pseudonym."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlmodel import Session

from storage.database import Database
from storage.repositories.privacy import CapturePolicyRepository, PseudonymRepository
from storage.repositories.projects import ProjectRepository
from storage.tables import CapturePolicy, Job
from storage.types import now
from studio.access.actor import Actor, Role, permit
from studio.access.audit import record
from studio.access.secrets import SecretBox
from studio.capture.privacy.cleaner import Cleaner
from studio.capture.privacy.detectors import DETECTORS
from studio.capture.privacy.patterns import checked_patterns
from studio.capture.privacy.policies import policy_of
from studio.capture.privacy.policy import FULL, RECORDS, Policy
from studio.capture.privacy.redactor import Redactor
from studio.errors import InvalidInput, NotFound
from studio.jobs.queue import Jobs

MOST_DAYS = 3650
LONGEST_USER = 200
LONGEST_PREVIEW = 20_000


@dataclass(frozen=True)
class Preview:
    """A text as it would be written, and how much of each kind was taken out."""

    text: str
    taken_out: dict[str, int]


class Privacy:
    """Reads and saves policies; shows what they do; starts forgetting a user."""

    def __init__(self, database: Database, secrets: SecretBox, jobs: Jobs) -> None:
        self.database = database
        self.secrets = secrets
        self.jobs = jobs
        self.redactor = Redactor.of(secrets.path.parent)

    def policy(self, project_id: str) -> Policy:
        """The project's policy; the default where nobody chose one."""
        with self.database.read() as session:
            row = CapturePolicyRepository(session).get(project_id)
        return policy_of(row) if row else FULL

    def changed(self, project_id: str) -> CapturePolicy | None:
        """The policy's row, for who changed it last and when; None where nobody did."""
        with self.database.read() as session:
            return CapturePolicyRepository(session).get(project_id)

    def save(
        self,
        actor: Actor,
        project_id: str,
        *,
        record_what: str = "full",
        detectors: Iterable[str] = (),
        patterns: Iterable[tuple[str, str]] = (),
        pseudonyms: bool = False,
        retention_days: int | None = None,
    ) -> Policy:
        """Put this policy in force; the gateway follows within a second. Raises InvalidInput."""
        policy = checked(Policy(record_what, tuple(detectors), tuple(patterns), pseudonyms, retention_days))
        with self.database.write() as session:
            permit(session, actor, Role.ADMIN)
            project = _project_name(session, project_id)
            policies = CapturePolicyRepository(session)
            row = policies.get(project_id) or CapturePolicy(project_id=project_id)
            row.record, row.pseudonyms, row.retention_days = policy.record, policy.pseudonyms, policy.retention_days
            row.detectors = list(policy.detectors)
            row.patterns = [{"name": name, "pattern": pattern} for name, pattern in policy.patterns]
            row.updated_at, row.updated_by = now(), actor.username
            policies.add(row)
            record(session, actor, "changed what is recorded of", project, **_told(policy))
        return policy

    def preview(self, project_id: str, text: str, policy: Policy | None = None) -> Preview:
        """The text as the project's policy (or this one) would have it written. Nothing is saved."""
        policy = policy or self.policy(project_id)
        told, counts = Cleaner(self.redactor, lambda _: policy, str).look(project_id, text[:LONGEST_PREVIEW])
        return Preview(told, counts)

    def reveal(self, actor: Actor, project_id: str, token: str) -> str:
        """What stands behind a pseudonym such as [email:…]; told to admins, and put into the audit trail."""
        token = token.strip().strip("[]")
        with self.database.write() as session:
            permit(session, actor, Role.ADMIN)
            row = PseudonymRepository(session).get((project_id, token))
            if row is None:
                raise NotFound(
                    f"Nothing is kept behind [{token}]. Only values that were taken out while pseudonyms were on can "
                    "be read again, and only until their user is forgotten."
                )
            value = self.secrets.decrypt(row.sealed)
            record(session, actor, "revealed a pseudonym", token, project_id=project_id)
        return value

    def forget_user(self, actor: Actor, project_id: str, user_id: str) -> Job:
        """Delete what was recorded of this user everywhere, as a job with a report. The id itself is kept sealed."""
        user_id = user_id.strip()
        if not user_id or len(user_id) > LONGEST_USER:
            raise InvalidInput(f"Enter the user's id as your calls name it, 1 to {LONGEST_USER} characters.")
        mark = self.redactor.token(project_id, "user", user_id)
        spec = {"project_id": project_id, "user": mark, "sealed": self.secrets.encrypt(user_id)}
        with self.database.write() as session:
            permit(session, actor, Role.ADMIN)
            project = _project_name(session, project_id)
            job = self.jobs.enqueue(
                session, actor, "forget_user", spec, title="Forget a user", project_id=project_id, needs=Role.ADMIN
            )
            record(session, actor, "asked to forget a user of", project, user=mark, job_id=job.id)
        return job


def checked(policy: Policy) -> Policy:
    """The policy with its parts in order. Raises InvalidInput that says what is wrong."""
    if policy.record not in RECORDS:
        raise InvalidInput(f"Record {policy.record}? Choose full, metadata or off.")
    if unknown := [name for name in policy.detectors if name not in DETECTORS]:
        raise InvalidInput(f"There is no detector {unknown[0]}. Choose from: {', '.join(DETECTORS)}.")
    days = policy.retention_days
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise InvalidInput(f"Keep calls for 1 to {MOST_DAYS} days, or for ever.")
    detectors = tuple(name for name in DETECTORS if name in policy.detectors)
    return Policy(policy.record, detectors, checked_patterns(policy.patterns), policy.pseudonyms, days)


def _project_name(session: Session, project_id: str) -> str:
    project = ProjectRepository(session).get(project_id)
    if project is None:
        raise NotFound("This project does not exist. Choose another one in the sidebar.")
    return project.name


def _told(policy: Policy) -> dict[str, object]:
    return {
        "record": policy.record,
        "detectors": list(policy.detectors),
        "patterns": [name for name, _ in policy.patterns],
        "pseudonyms": policy.pseudonyms,
        "retention_days": policy.retention_days,
    }
