"""The exceptions of infra and stacks. Each message is one line: what was given, what is allowed, what to do.

InfraError
+-- SettingsError   a stack's settings, or a command line
+-- DockerError     Docker does not answer, or refuses
+-- HostError       a machine cannot be reached, or a command there failed
|   +-- HostGoneError   it is no more: nobody will ever reach it again
+-- JobError        a job did not start, failed, or cannot be found
+-- JournalError    a lease on this machine is damaged
+-- RunHomeError    a run could not be brought home whole
+-- SealError       sealed data or a sealed run cannot be opened, or not be made
+-- PriceError      a price table is damaged, or a price list does not answer
+-- RegistryError   a container registry does not answer, or has no such image
+-- EngineError     the pulumi program is missing, or ended with an error
"""


class InfraError(Exception):
    """Anything a user can understand and mend; never a traceback, never a secret in its text."""


class SettingsError(InfraError):
    """Settings of a stack or words of a command line that cannot work."""


class DockerError(InfraError):
    """Docker does not answer, or refuses what is asked."""


class HostError(InfraError):
    """A machine cannot be reached, or a command there failed."""


class HostGoneError(HostError):
    """A machine is no more; what it left elsewhere may still be read."""


class JobError(InfraError):
    """A job did not start, failed, or cannot be found."""


class JournalError(InfraError):
    """A lease that is written down on this machine cannot be read."""


class RunHomeError(InfraError):
    """A run could not be brought home whole; what is missing stands in the text."""


class SealError(InfraError):
    """Sealed data or a sealed run cannot be opened (no key, another key, a damaged file), or not be made."""


class PriceError(InfraError):
    """A price table is damaged, or a provider's price list does not answer."""


class RegistryError(InfraError):
    """A container registry does not answer, or has no such image."""


class EngineError(InfraError):
    """The pulumi program is missing, or ended with an error."""
