package infra

import (
	"strings"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"
)

// accept says why a rule of cdk-nag's AwsSolutions does not hold for one resource; findings
// narrows it to what the rule names, word for word or as a /regular expression/g.
func accept(on constructs.IConstruct, rule, reason string, findings ...string) {
	suppression := &cdknag.NagPackSuppression{Id: &rule, Reason: &reason}

	if len(findings) > 0 {
		var applies []any

		for _, finding := range findings {
			if strings.HasPrefix(finding, "/") {
				applies = append(applies, &cdknag.RegexAppliesTo{Regex: &finding})
				continue
			}

			applies = append(applies, finding)
		}

		suppression.AppliesTo = &applies
	}

	// the resource itself, and nothing that stands beside it
	if child := on.Node().DefaultChild(); child != nil {
		on = child
	}

	cdknag.NagSuppressions_AddResourceSuppressions(on, &[]*cdknag.NagPackSuppression{suppression},
		jsii.Bool(false))
}
