"""The cloud image on the CUDA image, built by this machine's Docker and pushed to a registry of the stack's own."""

from collections.abc import Mapping

import pulumi
import pulumi_docker as docker


def pushed_image(
    name: str,
    parent: pulumi.Resource,
    *,
    context: str,
    tag: str,
    local_name: str,
    repository_url: pulumi.Input[str],
    registry: docker.RegistryArgs,
    build_args: Mapping[str, str],
) -> pulumi.Output[str]:
    """Declare both images; the pushed one's reference by digest.

    Args:
        context: absolute folder of the project.
        tag: another content has another one: a tag once pushed stays with its image.
        local_name: name on this machine of the CUDA image that the other one stands on.
        registry: with a token of today.
    """

    def build(kind: str, more: Mapping[str, pulumi.Input[str]]) -> docker.DockerBuildArgs:
        return docker.DockerBuildArgs(
            context=context,
            dockerfile=f"{context}/images/{kind}/Dockerfile",
            platform="linux/amd64",
            args={**build_args, **more},
        )

    base = docker.Image(
        f"{name}-cuda",
        image_name=f"{local_name}:{tag}",
        skip_push=True,
        build=build("cuda", {}),
        opts=pulumi.ResourceOptions(parent=parent),
    )
    image = docker.Image(
        f"{name}-cloud",
        image_name=pulumi.Output.concat(repository_url, ":", tag),
        registry=registry,
        build=build("cloud", {"CUDA_IMAGE": base.image_name}),
        # The next `up` has another token, which is no other image; another image is made anew, with the token of its
        # day, and not with the one of the last time.
        opts=pulumi.ResourceOptions(
            parent=parent, ignore_changes=["registry"], replace_on_changes=["imageName"]
        ),
    )
    reference: pulumi.Output[str] = image.repo_digest
    return reference
