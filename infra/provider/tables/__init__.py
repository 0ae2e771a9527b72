"""One table a kind of resource."""

from infra.provider.table import Table
from infra.provider.tables.built_image import BuiltImageTable
from infra.provider.tables.lease import LeaseTable
from infra.provider.tables.leftovers import LeftoversTable
from infra.provider.tables.local_process import LocalProcessTable
from infra.provider.tables.network_volume import NetworkVolumeTable
from infra.provider.tables.pod import PodTable
from infra.provider.tables.pod_ready import PodReadyTable
from infra.provider.tables.registry_credential import RegistryCredentialTable
from infra.provider.tables.run_rescue import RunRescueTable
from infra.provider.tables.training_run import TrainingRunTable
from infra.provider.tables.upload import UploadTable

TABLES: tuple[Table, ...] = (
    UploadTable(),
    LocalProcessTable(),
    TrainingRunTable(),
    BuiltImageTable(),
    LeaseTable(),
    LeftoversTable(),
    RunRescueTable(),
    NetworkVolumeTable(),
    RegistryCredentialTable(),
    PodTable(),
    PodReadyTable(),
)
"""What the plugin serves."""
