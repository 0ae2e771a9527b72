"""What CloudWatch's agent on the machine measures. Pure.

Source: the agent's configuration schema and its translation (github.com/aws/amazon-cloudwatch-agent, read 2026-11).
"""

from collections.abc import Mapping
from typing import Any

DIMENSION = "AutoScalingGroupName"
"""The one dimension by which alarms and dashboard find the figures: instances of a group come and go."""
INTERVAL_S = 60
GPU_BUSY = "nvidia_smi_utilization_gpu"
GPU_MEMORY = "nvidia_smi_memory_used"
MEMORY, DISK = "mem_used_percent", "disk_used_percent"
SCRATCH = "/opt/dlami/nvme"
"""Where the Deep Learning AMI mounts a machine's own NVMe disks."""
GPU_FIGURES = (
    "utilization_gpu", "utilization_memory", "memory_used", "memory_total", "temperature_gpu", "power_draw",
)  # fmt: skip


def agent_config(
    namespace: str,
    group: str,
    *,
    log_group: str | None = None,
    log_files: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Settings of the agent: GPU, memory and disk, summed up by group; files into the log group.

    The group's name is given as a fixed dimension of each part. As the agent's own `append_dimensions` it would be
    looked up by ec2:DescribeTags, a right on everything, at a door that a private network does not have.

    Args:
        namespace: of the metrics; the machine may write into no other.
        group: name of the group.
        log_group: where the files go; they need one.
        log_files: file on the machine to stream, whose name may hold {instance_id}.

    Raises:
        ValueError: files and no group to write them to.
    """
    mark = {"append_dimensions": {DIMENSION: group}}
    config: dict[str, Any] = {
        "agent": {"metrics_collection_interval": INTERVAL_S, "run_as_user": "cwagent"},
        "metrics": {
            "namespace": namespace,
            "aggregation_dimensions": [[DIMENSION]],
            "metrics_collected": {
                "nvidia_gpu": {"measurement": list(GPU_FIGURES), **mark},
                "mem": {"measurement": [MEMORY], **mark},
                "disk": {
                    "measurement": ["used_percent"],
                    "resources": ["/", SCRATCH],
                    "drop_device": True,
                    **mark,
                },
            },
        },
    }
    if log_files:
        if log_group is None:
            raise ValueError("log_files without a log_group; name the group that they go to")
        config["logs"] = {
            "logs_collected": {
                "files": {
                    "collect_list": [
                        {"file_path": path, "log_group_name": log_group, "log_stream_name": stream}
                        for path, stream in log_files.items()
                    ]
                }
            }
        }
    return config
