package infra

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"lockstep/infra/config"
)

// What AWS would refuse halfway is refused before, also in the app of a team.
func TestNewLockstep_RefusesWhatIsElsewhere(t *testing.T) {
	c, err := config.Parse([]byte(`{"app":"shop","functions":[{"name":"f","existing":"f","events":[{"queue":"arn:aws:sqs:us-east-1:123456789012:q"}]}]}`))
	if err != nil {
		t.Fatal(err)
	}

	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("elsewhere"),
		&awscdk.StackProps{Env: &awscdk.Environment{Account: jsii.String("123456789012"),
			Region: jsii.String("eu-west-1")}})

	defer func() {
		if said := fmt.Sprint(recover()); !strings.HasPrefix(said,
			"lockstep.functions[0].events[0].queue: found") {
			t.Errorf("it said %s", said)
		}
	}()

	NewLockstep(stack, "Lockstep", Props{Config: c})
}
