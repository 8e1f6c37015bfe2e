package function

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"lockstep/functions/internal/aws/awserr"
)

// Prune deletes the function's versions except the newest keep of them: a Region stores 75 GB of
// code in all. A version to which an alias points stays; Lambda itself refuses to delete it. Its
// errors are those of awserr.Wrap.
func (f *Functions) Prune(ctx context.Context, name string, keep int) error {
	fn, err := f.lambda(name)
	if err != nil {
		return err
	}

	used, err := f.used(ctx, fn)
	if err != nil {
		return err
	}

	versions, err := f.versions(ctx, fn)
	if err != nil {
		return err
	}

	for _, number := range versions[:max(0, len(versions)-keep)] {
		version := strconv.Itoa(number)
		if used[version] {
			continue
		}

		if err := f.control.Wait(ctx); err != nil {
			return fmt.Errorf("delete %s:%s: %w", fn, version, err)
		}

		_, err := f.client.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: &fn,
			Qualifier: &version})

		var (
			gone  *types.ResourceNotFoundException
			inUse *types.ResourceConflictException
		)
		if err != nil && !errors.As(err, &gone) && !errors.As(err, &inUse) {
			return awserr.Wrap(err, "delete %s:%s", fn, version)
		}
	}

	return nil
}

// used is the set of versions to which an alias points, also with a weight.
func (f *Functions) used(ctx context.Context, fn string) (map[string]bool, error) {
	versions := map[string]bool{}

	pages := lambda.NewListAliasesPaginator(f.client, &lambda.ListAliasesInput{FunctionName: &fn})
	for pages.HasMorePages() {
		if err := f.control.Wait(ctx); err != nil {
			return nil, fmt.Errorf("list the aliases of %s: %w", fn, err)
		}

		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, awserr.Wrap(err, "list the aliases of %s", fn)
		}

		for _, alias := range page.Aliases {
			versions[aws.ToString(alias.FunctionVersion)] = true
			if alias.RoutingConfig != nil {
				for version := range alias.RoutingConfig.AdditionalVersionWeights {
					versions[version] = true
				}
			}
		}
	}

	return versions, nil
}

// versions lists the published versions, the oldest first, without $LATEST.
func (f *Functions) versions(ctx context.Context, fn string) ([]int, error) {
	var versions []int

	pages := lambda.NewListVersionsByFunctionPaginator(f.client,
		&lambda.ListVersionsByFunctionInput{FunctionName: &fn})
	for pages.HasMorePages() {
		if err := f.control.Wait(ctx); err != nil {
			return nil, fmt.Errorf("list the versions of %s: %w", fn, err)
		}

		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, awserr.Wrap(err, "list the versions of %s", fn)
		}

		for _, v := range page.Versions {
			if number, err := strconv.Atoi(aws.ToString(v.Version)); err == nil {
				versions = append(versions, number)
			}
		}
	}

	slices.Sort(versions)

	return versions, nil
}
